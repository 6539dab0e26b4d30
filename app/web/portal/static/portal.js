// Comfort only: every page works without this file. No markup is made from text, nothing is sent anywhere.
(() => {
  "use strict";

  const live = document.querySelector("[data-live]");
  const say = (words) => { if (live) live.textContent = words; };

  // --- times in the reader's own zone ------------------------------------------------------------
  for (const time of document.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    const now = new Date();
    const today = at.toDateString() === now.toDateString();
    const near = Math.abs(at - now) < 6 * 86400e3; // farther away a weekday alone would name another day
    time.title = time.textContent;
    time.textContent = at.toLocaleString(undefined, today
      ? { hour: "2-digit", minute: "2-digit" }
      : { ...(near ? { weekday: "short" } : { day: "numeric", month: "short" }),
          ...(at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }),
          hour: "2-digit", minute: "2-digit" });
  }

  // --- time left ---------------------------------------------------------------------------------
  const clock = document.querySelector("[data-until]");
  if (clock) {
    const until = new Date(clock.dataset.until).getTime();
    const two = (number) => String(number).padStart(2, "0");
    let timer;
    const tick = () => {
      const left = Math.round((until - Date.now()) / 1000);
      if (left <= 0) {
        clock.textContent = "Expired";
        clock.parentElement.classList.add("is-over");
        say("These keys have expired.");
        clearInterval(timer);
        return;
      }
      clock.parentElement.classList.toggle("is-short", left < 300);
      clock.textContent = left >= 3600
        ? `${Math.floor(left / 3600)} h ${two(Math.floor(left / 60) % 60)} min left`
        : `${Math.floor(left / 60)}:${two(left % 60)} left`;
    };
    timer = setInterval(tick, 1000);
    tick();
  }

  // --- copying -----------------------------------------------------------------------------------
  if (navigator.clipboard) {
    for (const button of document.querySelectorAll("[data-copy]")) {
      const label = button.firstChild;
      const words = label.textContent;
      let back;
      button.hidden = false;
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
          label.textContent = "Copied";
          button.classList.add("is-done");
          say("Copied");
        } catch {
          label.textContent = "Select and copy by hand";
        }
        clearTimeout(back);
        back = setTimeout(() => { label.textContent = words; button.classList.remove("is-done"); }, 2000);
      });
    }
  }

  // --- printing ----------------------------------------------------------------------------------
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }

  // --- the shell chosen last time ----------------------------------------------------------------
  const keys = document.querySelector("[data-keys]");
  if (keys) {
    const name = "daypass-shell";
    const recall = () => { try { return localStorage.getItem(name); } catch { return null; } };
    for (const radio of keys.querySelectorAll("input[name=shell]")) {
      if (radio.value === recall()) radio.checked = true;
      radio.addEventListener("change", () => {
        try { localStorage.setItem(name, radio.value); } catch { /* private window */ }
      });
    }
  }

  // --- searching while typing --------------------------------------------------------------------
  const search = document.getElementById("q");
  if (search) {
    const key = document.querySelector(".search .key");
    if (key) key.hidden = false;
    document.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        search.focus();
        search.select();
      }
      if (event.key === "Escape" && document.activeElement === search && search.value) {
        search.value = "";
        search.dispatchEvent(new Event("input"));
      }
    });
  }
  if (search && "liveSearch" in search.dataset) {
    search.form.classList.add("is-live");
    const roles = [...document.querySelectorAll(".role")];
    const accounts = [...document.querySelectorAll(".account")];
    const count = document.querySelector("[data-count]");
    const all = count.textContent;
    const nothing = document.querySelector("[data-nothing]");
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const role of roles) {
        role.hidden = !words.every((word) => role.dataset.find.includes(word));
        if (!role.hidden) shown += 1;
      }
      for (const account of accounts) account.hidden = !account.querySelector(".role:not([hidden])");
      nothing.hidden = shown > 0;
      count.textContent = words.length ? `${shown} of ${all}` : all;
      say(words.length ? count.textContent : "");
    };
    search.addEventListener("input", filter);
    search.form.addEventListener("submit", (event) => {
      event.preventDefault();
      document.querySelector(".role:not([hidden]) a.button")?.focus();
    });
    if (search.value) filter();
  }

  // --- one click is enough -----------------------------------------------------------------------
  for (const form of document.querySelectorAll("form[data-once]")) {
    const button = form.querySelector("button");
    const words = button.textContent;
    form.addEventListener("submit", (event) => {
      if (button.getAttribute("aria-disabled") === "true") { event.preventDefault(); return; }
      button.setAttribute("aria-disabled", "true");
      button.textContent = form.dataset.once;
    });
    window.addEventListener("pageshow", () => {
      button.removeAttribute("aria-disabled");
      button.textContent = words;
    });
  }
})();
