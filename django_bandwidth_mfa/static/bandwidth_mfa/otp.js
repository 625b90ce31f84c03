/*
 * Where the browser can read the text message (WebOTP): fill the code in, once it comes. The browser asks
 * its user first, and reads a message only if its last line names this site. The user presses the button
 * all the same: nothing is tried without them. Without this script the code is typed.
 */
(function () {
  "use strict";

  var field = document.querySelector('.bandwidth-mfa input[autocomplete="one-time-code"]');
  if (!field || !window.OTPCredential || !window.AbortController) return;

  // Whatever is sent, this page is over. The next one waits for its own message.
  var page = new AbortController();
  document.addEventListener("submit", function () {
    page.abort();
  });

  navigator.credentials
    .get({ otp: { transport: ["sms"] }, signal: page.signal })
    .then(function (message) {
      // What somebody has begun to type stays.
      if (message && !field.value) field.value = message.code;
    })
    .catch(function () {}); // refused by the user or the site's policy, or the page is over
})();
