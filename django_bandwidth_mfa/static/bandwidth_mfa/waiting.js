/*
 * Update the times on the page: until when a code works, and when the next code can be sent.
 *
 * The attribute data-seconds of a sentence is the number of seconds until a moment. The script shows that
 * moment as a countdown ("0:29"), or as a time of day in the time zone of this device. A button with
 * data-wait is disabled until its wait is over. A screen reader reads out a wait twice: when it begins,
 * and when it is over. Without this script the sentences do not change, and the buttons work.
 */
(function () {
  "use strict";

  var opened = Date.now();
  var timer = 0;
  var speaker = document.querySelector(".bandwidth-mfa [data-announce]");

  // Query the elements each time, because another script may replace them.
  function each(selector, work) {
    Array.prototype.forEach.call(document.querySelectorAll(".bandwidth-mfa " + selector), work);
  }

  // Round up, so that no button is pressed too early.
  function secondsLeft(element, name) {
    var end = opened + 1000 * Number(element.getAttribute(name));
    return Math.max(0, Math.ceil((end - Date.now()) / 1000));
  }

  function countdown(seconds) {
    var rest = seconds % 60;
    return Math.floor(seconds / 60) + ":" + (rest < 10 ? "0" : "") + rest;
  }

  function clock(element) {
    var end = opened + 1000 * Number(element.getAttribute("data-seconds"));
    // Round up the end of a wait to the next minute. Round down the end of a code.
    if (element.getAttribute("data-round") === "up") end += 59999;
    var moment = new Date(end);
    var parts = { hour: "numeric", minute: "2-digit" };
    if (moment.toDateString() !== new Date().toDateString()) {
      parts.month = "short";
      parts.day = "numeric";
    }
    var language = document.documentElement.lang || undefined;
    try {
      return moment.toLocaleString(language, parts);
    } catch (error) {
      return moment.toLocaleString(undefined, parts); // the browser does not know this language
    }
  }

  function sentence(element) {
    var seconds = secondsLeft(element, "data-seconds");
    if (seconds === 0) return element.getAttribute("data-over") || "";
    var counted = element.getAttribute("data-countdown");
    if (counted) return counted.replace("{time}", countdown(seconds));
    var clocked = element.getAttribute("data-clock");
    return clocked ? clocked.replace("{time}", clock(element)) : "";
  }

  function say(text) {
    if (speaker && speaker.textContent !== text) speaker.textContent = text;
  }

  function isWait(element) {
    return element.getAttribute("data-round") === "up";
  }

  function look() {
    var goesOn = false;
    each("[data-seconds]", function (element) {
      if (element.hasAttribute("data-done")) return;
      var text = sentence(element);
      if (text && element.textContent !== text) element.textContent = text;
      if (secondsLeft(element, "data-seconds") > 0) {
        goesOn = true;
      } else {
        element.setAttribute("data-done", "");
        say(text);
      }
    });
    each("[data-wait]", function (button) {
      if (secondsLeft(button, "data-wait") > 0) {
        goesOn = true;
        button.setAttribute("aria-disabled", "true");
      } else {
        button.removeAttribute("aria-disabled");
      }
    });
    if (!goesOn) {
      window.clearInterval(timer);
      timer = 0;
    } else if (!timer) {
      timer = window.setInterval(look, 1000);
    }
  }

  // This runs in the capture phase, before other scripts, because a form with a wait must not be sent.
  document.addEventListener(
    "submit",
    function (event) {
      var pressed = event.submitter || document.activeElement;
      var button = pressed && pressed.closest ? pressed.closest("[data-wait]") : null;
      if (!button && event.target.querySelector) {
        // The Enter key in the field submits the form with the first button.
        var first = event.target.querySelector("button");
        button = pressed && pressed.tagName === "INPUT" && first && first.hasAttribute("data-wait") ? first : null;
      }
      if (!button || button.getAttribute("aria-disabled") !== "true") return;
      event.preventDefault();
      event.stopImmediatePropagation();
      each("[data-seconds]", function (element) {
        if (isWait(element)) say(element.textContent);
      });
    },
    true
  );

  // Update also after the back button, and when a laptop wakes up.
  window.addEventListener("pageshow", look);
  document.addEventListener("visibilitychange", look);
  // The script that polls the delivery sends this event.
  document.addEventListener("bandwidth-mfa-waits", look);

  look();
  window.setTimeout(function () {
    each("[data-seconds]", function (element) {
      if (isWait(element) && !element.hasAttribute("data-done")) say(element.textContent);
    });
  }, 500);
})();
