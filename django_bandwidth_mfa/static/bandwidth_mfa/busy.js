/*
 * Reload the page if the site was too busy to send the code. The request for the page asks for the code
 * again. The page has no field yet, so a reload loses nothing that was typed. The script reloads three
 * times at most, and not while the user is doing something else on the page. Without this script the user
 * reloads the page, or presses the button.
 */
(function () {
  "use strict";

  var TIMES = 3;
  var KEY = "bandwidth-mfa-asked-again"; // in this tab: the number of reloads, and the time of the last one
  var FORGET = 60000; // milliseconds; after this time the count begins at 0 again

  var section = document.querySelector(".bandwidth-mfa[data-ask-again]");
  if (!section) return;

  // Safari does not focus a clicked link, so the focus alone does not show that the user has left. A
  // reload would also lose what was typed into another field of the site.
  var used = false;
  function use() {
    used = true;
  }
  document.addEventListener("submit", use);
  document.addEventListener("input", use);
  document.addEventListener("click", function (event) {
    if (event.target.closest("a, button, input, select, summary")) use();
  });

  // Return how often this tab has asked again, and count one more.
  function count() {
    var parts = (window.sessionStorage.getItem(KEY) || "").split(" ");
    var asked = Date.now() - Number(parts[1] || 0) < FORGET ? Number(parts[0]) : 0;
    window.sessionStorage.setItem(KEY, asked + 1 + " " + Date.now());
    return asked;
  }

  function askAgain() {
    // A hidden page asks when it is visible again.
    if (document.hidden) return document.addEventListener("visibilitychange", askAgain, { once: true });
    var focused = document.activeElement;
    if (used || (focused && focused !== document.body)) return;
    try {
      if (count() < TIMES) window.location.reload();
    } catch (error) {
      // The browser keeps nothing for this site, so the script cannot count, and does not reload.
    }
  }

  // Pages that were refused at the same moment do not ask again at the same moment.
  var seconds = Number(section.getAttribute("data-ask-again"));
  window.setTimeout(askAgain, seconds * 1000 * (1 + Math.random()));
})();
