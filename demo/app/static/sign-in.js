// The sign-in that the app already has: a plain OAuth 2.0 provider, authorization code with PKCE (RFC 7636).
// A page is a public client: it has no secret, and what it must remember on the way is in this tab only.

const WAITING = "shoebox.waiting";
const base64url = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const here = () => `${location.origin}/`;

/** Leaves this page for the provider's. */
export async function start(provider) {
  const waiting = { state: random(), verifier: random() };
  sessionStorage.setItem(WAITING, JSON.stringify(waiting));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(waiting.verifier));
  location.assign(`${provider.authorize}?${new URLSearchParams({
    response_type: "code",
    client_id: provider.client_id,
    redirect_uri: here(),
    scope: provider.scope,
    state: waiting.state,
    code_challenge: base64url(digest),
    code_challenge_method: "S256",
  })}`);
}

/** The provider's access token if this page was opened by its answer, else null. Throws in words. */
export async function finish(provider) {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state")) return null;
  const waiting = JSON.parse(sessionStorage.getItem(WAITING) ?? "{}");
  sessionStorage.removeItem(WAITING);
  history.replaceState(null, "", "/"); // no code in the address bar, nor in what is sent as Referer
  if (answer.get("state") !== waiting.state) throw new Error("That answer belongs to no sign-in of this tab. Start again.");
  if (answer.has("error")) throw new Error(`${provider.label} did not sign you in: ${answer.get("error_description") ?? answer.get("error")}`);
  const reply = await fetch(provider.token, {
    method: "POST",
    credentials: "omit",
    headers: { accept: "application/json" },
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: provider.client_id,
      redirect_uri: here(),
      code: answer.get("code") ?? "",
      code_verifier: waiting.verifier,
    }),
  });
  const token = await reply.json();
  if (!token.access_token) throw new Error(`${provider.label} gave no token: ${token.error_description ?? token.error}`);
  return token.access_token;
}
