/*
 * While the page waits for a code: ask whether the message was delivered, and show the answer, without a
 * reload that would lose what is being typed. The page works without this script.
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
    return fresh.hasAttribute("data-follow");
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
          if (page === null || show(page)) ask(left - 1);
        })
        .catch(function () {
          ask(left - 1); // no network for a moment
        });
    }, EVERY);
  }

  ask(TIMES);
})();
