/*
 * A button that was pressed says that it is at work, and a second tap sends nothing: with a code, the
 * second answer would be that it has been used, and that is the one that the browser shows. Without
 * this script the forms work all the same.
 */
(function () {
  "use strict";

  var SECONDS = 5; // then a tap counts again: the first may have been stopped, or lost on its way

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

  // The back button may bring the page as it was left.
  window.addEventListener("pageshow", function () {
    Array.prototype.forEach.call(document.querySelectorAll("form[data-sent]"), release);
  });
})();
