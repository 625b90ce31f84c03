/*
 * A page that signs in by fetch alone: the password goes to the bank's own view, everything else to the JSON API.
 * The page shows the state that the API returns.
 */
(function () {
  "use strict";

  const page = document.getElementById("single-page");
  const step = document.getElementById("step");
  const problem = document.getElementById("problem");
  const api = page.dataset.api.replace(/state$/, "");

  let state = null; // the last state from the API
  let pending = null; // the phone that is being added
  let codes = []; // recovery codes that were just made

  async function ask(address, body) {
    const options =
      body === undefined
        ? {}
        : {
            method: "POST",
            headers: { "Content-Type": "application/json", "X-CSRFToken": state.csrf_token },
            body: JSON.stringify(body),
          };
    const answer = await fetch(address, options);
    const content = await answer.json();
    if (!answer.ok) throw content.error;
    if ("csrf_token" in content) state = content;
    return content;
  }

  const actions = {
    async signIn(fields) {
      await ask(page.dataset.signIn, fields);
      await ask(api + "state");
      if (state.needs === "code" && state.code.challenge === null) await ask(api + "send", {});
    },
    async send() {
      await ask(api + "send", {});
    },
    async verify(fields) {
      await ask(api + "verify", fields);
    },
    async useRecoveryCode(fields) {
      await ask(api + "recovery-code", fields);
    },
    async addPhone(fields) {
      pending = await ask(api + "phones/add", fields);
    },
    async confirmPhone(fields) {
      await ask(api + "phones/confirm", fields);
      pending = null;
    },
    async startAgain() {
      pending = null;
    },
    async makeRecoveryCodes() {
      codes = (await ask(api + "recovery-codes", {})).codes;
      await ask(api + "state");
    },
    async cancel() {
      await ask(api + "cancel", {});
      pending = null;
    },
  };

  function nameOfStep() {
    if (state.state === "anonymous") return "anonymous";
    if (state.needs === "code") return "code";
    if (state.needs === "phone") return pending ? "confirm" : "phone";
    return "signed-in";
  }

  function sentTo(challenge) {
    if (challenge === null) return "You have no valid code. Send another one.";
    const how = challenge.channel === "voice" ? "We call" : "We sent a code to";
    return `${how} your phone ${challenge.number}.`;
  }

  function fillList(name, texts) {
    const list = step.querySelector(`[data-list="${name}"]`);
    if (!list) return;
    list.hidden = texts.length === 0;
    for (const text of texts) list.append(Object.assign(document.createElement("li"), { textContent: text }));
  }

  async function show() {
    const name = nameOfStep();
    const phones = name === "signed-in" ? (await ask(api + "phones")).phones : [];
    step.replaceChildren(document.getElementById(name).content.cloneNode(true));
    const sent = step.querySelector('[data-text="sent"]');
    if (sent) sent.textContent = sentTo(pending ? pending.challenge : state.code.challenge);
    fillList("phones", phones.map((phone) => `${phone.name} ${phone.number}`.trim()));
    fillList("codes", codes);
    const owed = step.querySelector('[data-if="owed"]');
    if (owed) owed.hidden = !state.recovery_codes.owed;
    const link = step.querySelector('[data-link="account"]');
    if (link) link.href = page.dataset.account;
    (step.querySelector("input") || page.querySelector("h1")).focus();
  }

  function tell(error) {
    problem.textContent = error && error.message ? error.message : "";
    problem.hidden = !problem.textContent;
  }

  step.addEventListener("submit", async function (event) {
    event.preventDefault();
    const form = event.target;
    const buttons = [...step.querySelectorAll("button")];
    buttons.forEach((button) => (button.disabled = true));
    tell(null);
    try {
      await actions[form.dataset.do](Object.fromEntries(new FormData(form)));
      await show();
    } catch (error) {
      // A login that took too long is gone, and so is one that another page has ended.
      if (error.code === "sign_in_required" || error.code === "session_ended") {
        await ask(api + "state");
        await show();
      } else if (form.dataset.do === "signIn" && state.state !== "anonymous") {
        await show(); // the password was right, but no code could be sent
      }
      tell(error);
      buttons.forEach((button) => (button.disabled = false));
      const field = step.querySelector("input");
      if (field && field.autocomplete === "one-time-code") field.value = "";
      if (field) field.focus();
    }
  });

  ask(api + "state").then(show).catch(tell);
})();
