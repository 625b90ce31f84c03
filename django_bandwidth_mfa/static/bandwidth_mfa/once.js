/*
 * Show that the site is handling a pressed button, and ignore a second press. The browser shows only the
 * response to the last press. For a right code, the second response would be "already used". The forms
 * also work without this script.
 */
(function () {
  "use strict";

  var SECONDS = 5; // after this time a press counts again, because the first request may have been lost

  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (!form.closest || !form.closest(".bandwidth-mfa")) return;
    if (form.hasAttribute("data-sent")) {
      event.preventDefault();
      return;
    }
    form.setAttribute("data-sent", "");
    var button = event.submitter || form.querySelector("button");
    if (button) {
      button.setAttribute("aria-busy", "true");
      if (button.hasAttribute("data-busy")) {
        button.setAttribute("data-idle", button.textContent);
        button.textContent = button.getAttribute("data-busy");
      }
    }
    window.setTimeout(release, SECONDS * 1000, form);
  });

  function release(form) {
    form.removeAttribute("data-sent");
    Array.prototype.forEach.call(form.querySelectorAll("[aria-busy]"), function (button) {
      button.removeAttribute("aria-busy");
      if (!button.hasAttribute("data-idle")) return;
      button.textContent = button.getAttribute("data-idle");
      button.removeAttribute("data-idle");
    });
  }

  // The back button may restore the page with a disabled button.
  window.addEventListener("pageshow", function () {
    Array.prototype.forEach.call(document.querySelectorAll("form[data-sent]"), release);
  });
})();
