/*
 * While the page waits for a code: ask whether the message was delivered, and show the answer. The page
 * then shows what it would show after a reload, which would lose what is being typed, and the focus.
 * For a message that was refused, the page holds the buttons of that case in a template: what they say,
 * and their order, is the server's to decide. The page works without this script.
 *
 * The address needs no session, and no cookie goes along: a late answer must not overtake the answer to
 * a right code and bring the old cookie back.
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
    // A page that tells what became of a code that was typed goes on telling it.
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
      // Whoever has one of the buttons in focus finds it in the new form.
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
      // A hidden page asks nothing, and goes on when it is looked at again.
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
          ask(left - 1); // no network for a moment
        });
    }, EVERY);
  }

  ask(TIMES);
})();
