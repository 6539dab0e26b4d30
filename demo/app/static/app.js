// Shoebox: sign in, get keys for one's own folder, use them. No framework, no secret, nothing kept but in this tab.

import * as broker from "./broker.js";
import { Keys } from "./keys.js";
import { Bucket, Refused } from "./s3.js";
import * as signIn from "./sign-in.js";

const GUEST = "shoebox.guest"; // a guest's refresh token, so that a reload or a sign-in finds the guest again
const LARGEST = 5 * 1024 * 1024;
const at = (id) => document.getElementById(id);
const settings = await (await fetch("/settings.json")).json();

let keys = null;
let bucket = null;
let folder = "";
const pictures = new Map(); // key → address of a picture that was fetched

function show(inside) {
  at("welcome").hidden = inside;
  at("inside").hidden = !inside;
}

function wrong(error) {
  const words = error instanceof TypeError ? "Something that this app needs cannot be reached. Try again in a moment." : error.message;
  at("wrong").textContent = words;
  at("wrong").hidden = false;
}

/** Runs what a button asks for; what goes wrong is said, and the button works again. */
function on(element, event, work) {
  element.addEventListener(event, async (happened) => {
    happened.preventDefault();
    at("wrong").hidden = true;
    element.toggleAttribute("aria-busy", true);
    try {
      await work(happened);
    } catch (error) {
      wrong(error);
    } finally {
      element.toggleAttribute("aria-busy", false);
    }
  });
}

// --- who is here ------------------------------------------------------------------------------------

async function enter(ask, who, isGuest) {
  keys = new Keys(ask, settings.renew_before, told);
  bucket = new Bucket(settings, () => keys.fresh());
  const first = await keys.fresh();
  folder = `${first.identity_id}/`;
  at("who").textContent = who;
  at("folder").textContent = folder;
  at("claim").hidden = !isGuest;
  show(true);
  at("folder-title").focus();
  await list();
}

function told(answer, times) {
  at("access-key").textContent = answer.AccessKeyId;
  at("until").dateTime = answer.Expiration;
  at("until").textContent = new Date(answer.Expiration).toLocaleTimeString();
  at("renewed").textContent = times === 1 ? "once" : `${times} times`;
}

async function asPerson(subjectToken) {
  const left = sessionStorage.getItem(GUEST);
  const guest = left && (await broker.again(settings, left).catch(() => null));
  if (guest) sessionStorage.setItem(GUEST, guest.refresh_token);
  let claim = guest?.access_token;
  let leftBehind = false;
  await enter(async () => {
    const answer = await broker.exchange(settings, subjectToken, claim).catch((error) => {
      if (!claim || error.code !== broker.TAKEN) throw error;
      leftBehind = true; // this person has a folder already, and two are never made one
      return broker.exchange(settings, subjectToken);
    });
    claim = null; // once: the guest is gone, its files stay
    sessionStorage.removeItem(GUEST);
    return answer;
  }, `Signed in with ${settings.social.label}:`, false);
  if (leftBehind) at("status").textContent = "You have a folder already: what you added as a guest is not in it.";
}

async function asGuest(found) {
  let tokens = found;
  const keep = (fresh) => {
    tokens = { ...tokens, ...fresh, until: Date.now() + fresh.expires_in * 1000 };
    sessionStorage.setItem(GUEST, tokens.refresh_token);
  };
  keep(found);
  await enter(async () => {
    if (tokens.until - Date.now() < 60_000) keep(await broker.again(settings, tokens.refresh_token));
    return { identity_id: tokens.identity_id, ...(await broker.credentials(settings, tokens.access_token)) };
  }, "Guest:", true);
}

function leave() {
  keys.stop();
  sessionStorage.removeItem(GUEST);
  pictures.forEach((address) => URL.revokeObjectURL(address));
  pictures.clear();
  at("answer").textContent = "";
  show(false);
  at("sign-in").focus();
}

// --- the folder -------------------------------------------------------------------------------------

async function list() {
  const found = await bucket.list(folder);
  at("files").replaceChildren(...found.map(card));
  at("empty").hidden = found.length > 0;
}

function card({ key, size }) {
  const name = key.slice(folder.length);
  const made = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
  const item = document.createElement("li");
  const picture = made("div", "picture", (name.split(".").pop() ?? "").slice(0, 6).toUpperCase());
  if (/\.(png|jpe?g|gif|webp)$/i.test(name)) fill(picture, key, name);
  const remove = made("button", "plain", "Delete");
  remove.type = "button";
  remove.setAttribute("aria-label", `Delete ${name}`);
  on(remove, "click", async () => {
    await bucket.remove(key);
    at("status").textContent = `${name} is deleted.`;
    await list();
    at("folder-title").focus();
  });
  item.append(picture, made("span", "name", name), made("span", "size", `${Math.ceil(size / 1024)} KiB`), remove);
  return item;
}

async function fill(place, key, name) {
  try {
    if (!pictures.has(key)) pictures.set(key, URL.createObjectURL(await bucket.get(key)));
    const picture = Object.assign(new Image(), { src: pictures.get(key), alt: name });
    await picture.decode();
    place.replaceChildren(picture);
  } catch {
    // No picture after all: its name says enough.
  }
}

async function add(files) {
  for (const file of files) {
    if (file.size > LARGEST) throw new Error(`${file.name} is too large: this app takes files of up to 5 MiB.`);
    at("status").textContent = `Sending ${file.name} …`;
    const key = folder + file.name;
    await bucket.put(key, file);
    if (pictures.has(key)) URL.revokeObjectURL(pictures.get(key));
    pictures.delete(key);
    at("status").textContent = `${file.name} is in your folder.`;
  }
  await list();
}

async function look(other) {
  const answer = at("answer");
  const prefix = `${other.replace(/\/+$/, "")}/`;
  answer.textContent = ""; // what stands there is about another folder
  try {
    const found = await bucket.list(prefix);
    answer.className = "right";
    answer.textContent = `Your keys open ${prefix}: ${found.length} files.`;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    answer.className = "wrong";
    answer.textContent = `${error.status} ${error.code}: ${error.message}`;
  }
}

// --- begin ------------------------------------------------------------------------------------------

for (const label of document.querySelectorAll(".label")) label.textContent = settings.social.label;
on(at("sign-in"), "click", () => signIn.start(settings.social));
on(at("claim").querySelector("button"), "click", () => signIn.start(settings.social));
on(at("guest"), "click", async () => asGuest(await broker.guest(settings)));
on(at("sign-out"), "click", leave);
on(at("renew"), "click", async () => { await keys.renew(); });
on(at("look"), "submit", () => look(at("other").value.trim()));
on(at("file"), "change", async () => {
  const files = [...at("file").files];
  at("file").value = "";
  await add(files);
});

try {
  const subjectToken = await signIn.finish(settings.social);
  const left = sessionStorage.getItem(GUEST);
  if (subjectToken) await asPerson(subjectToken);
  else if (left) await asGuest(await broker.again(settings, left));
  else show(false);
} catch (error) {
  show(false);
  wrong(error);
}
