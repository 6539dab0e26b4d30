// S3 with Signature Version 4, by WebCrypto. "Authenticating Requests (AWS Signature Version 4)", S3 API Reference.

const bytes = (text) => new TextEncoder().encode(text);
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
const sha256 = async (data) => hex(await crypto.subtle.digest("SHA-256", data));

async function hmac(key, text) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, bytes(text));
}

// Everything but A-Z a-z 0-9 - _ . ~ ; encodeURIComponent leaves five more.
const encoded = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** A "no" of S3's, with its code and words. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class Bucket {
  /** `keys()` promises fresh credentials; `place` is {s3, bucket, region}. */
  constructor(place, keys) {
    this.place = place;
    this.keys = keys;
  }

  async list(prefix) {
    const answer = await this.call("GET", "", { "list-type": "2", prefix });
    const xml = new DOMParser().parseFromString(await answer.text(), "application/xml");
    return Array.from(xml.getElementsByTagName("Contents"), (entry) => {
      const field = (name) => entry.getElementsByTagName(name)[0].textContent;
      return { key: field("Key"), size: Number(field("Size")) };
    });
  }

  async put(key, file) {
    await this.call("PUT", key, {}, await file.arrayBuffer(), file.type || "application/octet-stream");
  }

  async get(key) {
    return (await this.call("GET", key)).blob();
  }

  async remove(key) {
    await this.call("DELETE", key);
  }

  async call(method, key, parameters = {}, body = new ArrayBuffer(0), type = undefined) {
    const { s3, bucket, region } = this.place;
    const keys = await this.keys();
    const path = `/${bucket}${key && `/${key.split("/").map(encoded).join("/")}`}`;
    const query = Object.entries(parameters).map(([name, value]) => `${encoded(name)}=${encoded(value)}`).sort().join("&");
    const stamp = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
    const headers = {
      "x-amz-content-sha256": await sha256(body),
      "x-amz-date": stamp,
      "x-amz-security-token": keys.SessionToken,
    };
    const signed = { host: new URL(s3).host, ...headers };
    const names = Object.keys(signed).sort();
    const lines = names.map((name) => `${name}:${signed[name]}\n`).join("");
    const canonical = [method, path, query, lines, names.join(";"), headers["x-amz-content-sha256"]].join("\n");
    const scope = `${stamp.slice(0, 8)}/${region}/s3/aws4_request`;
    const toSign = ["AWS4-HMAC-SHA256", stamp, scope, await sha256(bytes(canonical))].join("\n");
    let key_ = bytes(`AWS4${keys.SecretAccessKey}`);
    for (const part of [...scope.split("/"), toSign]) key_ = await hmac(key_, part);
    headers.authorization =
      `AWS4-HMAC-SHA256 Credential=${keys.AccessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${hex(key_)}`;
    if (type) headers["content-type"] = type;
    const answer = await fetch(`${s3}${path}${query && `?${query}`}`, {
      method, headers, body: method === "PUT" ? body : undefined, credentials: "omit", cache: "no-store",
    });
    if (answer.ok) return answer;
    const xml = new DOMParser().parseFromString(await answer.text(), "application/xml");
    const field = (name) => xml.getElementsByTagName(name)[0]?.textContent ?? "";
    throw new Refused(answer.status, field("Code"), field("Message"));
  }
}
