/*
 * Fill in the code when the text message arrives, in browsers that can read it (WebOTP). The browser
 * first asks the user, and reads a message only if its last line names this site. The user must still
 * press the button. Without this script the user types the code.
 */
(function () {
  "use strict";

  var field = document.querySelector('.bandwidth-mfa input[autocomplete="one-time-code"]');
  if (!field || !window.OTPCredential || !window.AbortController) return;

  // When a form is sent, stop waiting: the next page waits for its own message.
  var page = new AbortController();
  document.addEventListener("submit", function () {
    page.abort();
  });

  navigator.credentials
    .get({ otp: { transport: ["sms"] }, signal: page.signal })
    .then(function (message) {
      // Do not replace what the user has begun to type.
      if (message && !field.value) field.value = message.code;
    })
    .catch(function () {}); // the user or the site's policy refused, or the user has left the page
})();
