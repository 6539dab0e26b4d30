// Speaks to security keys and passkeys (Web Authentication, Level 3): the page's options go to the browser, what the
// browser answers goes into the form. Nothing is decided here.
(() => {
  "use strict";

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
  const text = (buffer) => buffer && btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  // --- what the server wrote as JSON, in the browser's own types (5.1.9, 5.1.10) -------------------
  const described = (items) => (items || []).map((item) => ({ ...item, id: bytes(item.id) }));
  const forCreate = (given) => ({
    ...given,
    challenge: bytes(given.challenge),
    user: { ...given.user, id: bytes(given.user.id) },
    excludeCredentials: described(given.excludeCredentials),
  });
  const forGet = (given) => ({
    ...given,
    challenge: bytes(given.challenge),
    allowCredentials: described(given.allowCredentials),
  });

  // --- and back (5.1, `toJSON`) --------------------------------------------------------------------
  const written = (credential) => {
    const given = credential.response;
    const response = { clientDataJSON: text(given.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (given[name]) response[name] = text(given[name]);
    }
    if (given.getTransports) response.transports = given.getTransports();
    return JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response,
      authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  };

  // --- what went wrong, and how to go on -------------------------------------------------------------
  const reasons = {
    NotAllowedError: "Nothing was given: it was cancelled, or took too long. Try again, or use another way.",
    InvalidStateError: "This one is added already. Use another, or go back.",
    SecurityError: "This browser does not allow security keys at this address.",
    NotSupportedError: "This device cannot do that. Use another, or choose another kind.",
    AbortError: "It was stopped. Try again.",
  };
  const asked = async (form) => {
    const body = new URLSearchParams({ next: form.querySelector("[data-next]").value });
    const answer = await fetch(form.dataset.ask, { method: "POST", body, headers: { Accept: "application/json" } });
    const given = await answer.json();
    if (!answer.ok) throw new Error(given.detail);
    form.elements.c.value = given.challenge;
    return given.options;
  };

  for (const form of document.querySelectorAll("form[data-webauthn]")) {
    const button = form.querySelector("button");
    const wrong = form.querySelector("[data-webauthn-wrong]");
    const words = button.textContent;
    const kind = form.dataset.webauthn;
    form.hidden = false;
    if (!window.PublicKeyCredential) {
      if (kind === "sign-in") { form.hidden = true; continue; }
      wrong.textContent = "This browser knows no security keys or passkeys. Use another way, or another browser.";
      wrong.hidden = false;
    }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (button.getAttribute("aria-disabled") === "true") return;
      button.setAttribute("aria-disabled", "true");
      button.textContent = "Waiting for your device…";
      wrong.hidden = true;
      try {
        const given = form.dataset.ask ? await asked(form) : JSON.parse(form.dataset.options);
        const credential = kind === "create"
          ? await navigator.credentials.create({ publicKey: forCreate(given) })
          : await navigator.credentials.get({ publicKey: forGet(given) });
        form.elements.response.value = written(credential);
        form.submit();
        return;
      } catch (error) {
        wrong.textContent = reasons[error.name] || (error.name === "Error" && error.message)
          || "That did not work. Try again, or use another way.";
        wrong.hidden = false;
      }
      button.removeAttribute("aria-disabled");
      button.textContent = words;
    });
    window.addEventListener("pageshow", () => {
      button.removeAttribute("aria-disabled");
      button.textContent = words;
    });
  }
})();
