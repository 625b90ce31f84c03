/*
 * While the page waits for a code, ask the server whether the message was delivered, and show the
 * response. The page then looks as after a reload. A reload would lose the typed digits and the focus. The
 * page contains the buttons for a refused message in a template, so the server decides their text and
 * order. The page also works without this script.
 *
 * The request has no cookie, and needs no session. With a cookie, a slow response could come after the
 * response to a right code, and set the old session cookie again.
 */
(function () {
  "use strict";

  var EVERY = 3000; // milliseconds
  var TIMES = 40; // two minutes

  var place = document.getElementById("bandwidth-mfa-delivery");
  if (!place || !window.fetch || !window.DOMParser) return;
  var address = place.getAttribute("data-follow");

  function show(page) {
    var fresh = new DOMParser().parseFromString(page, "text/html").getElementById(place.id);
    if (!fresh) return false;
    if (place.innerHTML !== fresh.innerHTML) place.innerHTML = fresh.innerHTML;
    enter(fresh.getAttribute("data-state"));
    return fresh.hasAttribute("data-follow");
  }

  function enter(state) {
    var before = place.getAttribute("data-state");
    if (state === before) return;
    place.setAttribute("data-state", state);
    var section = place.closest(".bandwidth-mfa");
    if (!section) return;
    // If the page shows the outcome of a typed code, it keeps showing it.
    if (section.getAttribute("data-state") === before) section.setAttribute("data-state", state);
    if (state === "refused-by-carrier") offerAnotherWay(section);
  }

  function offerAnotherWay(section) {
    Array.prototype.forEach.call(section.querySelectorAll("[data-unless-refused]"), function (line) {
      line.parentNode.removeChild(line);
    });
    var template = section.querySelector("template[data-if-refused]");
    if (!template) return;
    var old = section.querySelector("form.mfa-send");
    var form = template.content.querySelector("form");
    template.parentNode.replaceChild(form, template);
    if (old) {
      // If one of the buttons has the focus, move the focus to the new form.
      var focused = document.activeElement;
      var same = old.contains(focused) && form.querySelector('button[value="' + focused.value + '"]');
      if (old.contains(focused)) (same || form.querySelector("button")).focus();
      old.parentNode.removeChild(old);
    }
    document.dispatchEvent(new Event("bandwidth-mfa-waits"));
  }

  var submitted = false;
  document.addEventListener("submit", function () {
    submitted = true;
  });

  function ask(left) {
    if (left === 0 || submitted) return;
    window.setTimeout(function () {
      // A hidden page does not poll. It continues when it is visible again.
      if (document.hidden) return ask(left);
      if (submitted) return;
      fetch(address, { credentials: "omit" })
        .then(function (answer) {
          return answer.ok ? answer.text() : null;
        })
        .then(function (page) {
          if (submitted) return;
          if (page === null || show(page)) ask(left - 1);
        })
        .catch(function () {
          ask(left - 1); // a network error, which may be temporary
        });
    }, EVERY);
  }

  ask(TIMES);
})();
