// What an app says to daypass. Three calls: exchange a sign-in, begin as a guest, renew.

const GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"; // RFC 8693
const GUEST = "urn:daypass:params:oauth:grant-type:guest";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const AWS = "urn:daypass:params:oauth:token-type:aws-credentials";

/** The code of a refusal to take a guest over: the person has an identity already. */
export const TAKEN = "identity.login_taken";

/** A "no" of the broker's: its words, and its code where a program must know. */
export class BrokerRefused extends Error {
  constructor(status, document) {
    super(document.error_description ?? document.detail ?? `The broker answered ${status}.`);
    this.code = document.code ?? document.error;
  }
}

async function sent(address, options) {
  const answer = await fetch(address, { method: "POST", credentials: "omit", cache: "no-store", ...options });
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new BrokerRefused(answer.status, document);
  return document;
}

const token = (settings, form) =>
  sent(`${settings.broker}/oauth/token`, { body: new URLSearchParams({ ...form, client_id: settings.client_id }) });

/** Credentials for the person of this access token. A guest's token beside it: that guest becomes this person, or TAKEN. */
export function exchange(settings, subjectToken, guestToken = null) {
  return token(settings, {
    grant_type: GRANT,
    subject_token: subjectToken,
    subject_token_type: ACCESS_TOKEN,
    subject_issuer: settings.social.source,
    requested_token_type: AWS,
    resource: settings.role,
    ...(guestToken && { guest_token: guestToken }),
  });
}

/** A new guest: access token, refresh token, identity_id. */
export const guest = (settings) => token(settings, { grant_type: GUEST });

/** The guest again, with tokens that last longer. The refresh token that was sent is used up. */
export const again = (settings, refreshToken) =>
  token(settings, { grant_type: "refresh_token", refresh_token: refreshToken });

/** Credentials for who holds a daypass access token. */
export const credentials = (settings, accessToken) =>
  sent(`${settings.broker}/v1/credentials`, {
    headers: { "content-type": "application/json", authorization: `Bearer ${accessToken}` },
    body: JSON.stringify({ role: settings.role }),
  });
