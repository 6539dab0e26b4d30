// An app with one S3 client for all its life. The credentials are a function that exchanges; when it is asked is up to the SDK.
// Lines on stdin: `put NAME TEXT`, `list [FOLDER]`. Each is answered by one line of JSON.

import { createInterface } from "node:readline";
import { ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const { BROKER, S3, TOKEN } = process.env;
const Bucket = "app-uploads";
let folder;
let held;
let times = 0;

async function exchange() {
  const answer = await fetch(`${BROKER}/oauth/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      client_id: "photo-app",
      subject_token: TOKEN,
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
      requested_token_type: "urn:daypass:params:oauth:token-type:aws-credentials",
      resource: "arn:aws:iam::444455556666:role/AppUploads",
    }),
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(`${found.error_description} (${found.request_id})`);
  times += 1;
  folder = `${found.identity_id}/`;
  held = { key: found.AccessKeyId, expiration: found.Expiration };
  return {
    accessKeyId: found.AccessKeyId,
    secretAccessKey: found.SecretAccessKey,
    sessionToken: found.SessionToken,
    expiration: new Date(found.Expiration),
  };
}

const place = { region: "eu-west-1", endpoint: S3, forcePathStyle: true };
const s3 = new S3Client({ ...place, credentials: exchange });
const first = await s3.config.credentials(); // the first exchange, which tells the folder
// Without its expiration an SDK cannot know when to ask again.
const untold = new S3Client({ ...place, credentials: { ...first, expiration: undefined } });

async function does(client, words) {
  const [what, name = folder, ...text] = words;
  if (what === "put") {
    await client.send(new PutObjectCommand({ Bucket, Key: name.includes("/") ? name : folder + name, Body: text.join(" ") }));
    return [];
  }
  const found = await client.send(new ListObjectsV2Command({ Bucket, Prefix: name }));
  return (found.Contents ?? []).map((object) => object.Key);
}

for await (const line of createInterface({ input: process.stdin })) {
  const words = line.split(" ");
  const client = words[0] === "untold" ? untold : s3;
  if (client === untold) words.shift();
  const answer = await does(client, words).then(
    (keys) => ({ keys }),
    (error) => ({ error: error.name, message: error.message }),
  );
  console.log(JSON.stringify({ ...answer, folder, held, times }));
}
