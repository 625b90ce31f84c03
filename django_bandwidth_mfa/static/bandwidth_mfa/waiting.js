/*
 * Time, while the page is open: until when a code works, and from when on the next one can be sent.
 *
 * A sentence with data-seconds is about a moment so many seconds away. Its time is shown as a
 * countdown ("0:29") or by the clock of this device, in the time zone of this device. A button with
 * data-wait is quiet until then. A screen reader hears of a wait twice: that it has begun, and that
 * it is over. Without this script the sentences stay as they are, and the buttons work.
 */
(function () {
  "use strict";

  var opened = Date.now();
  var timer = 0;
  var speaker = document.querySelector(".bandwidth-mfa [data-announce]");

  // Looked up each time: another script may change what is waited for.
  function each(selector, work) {
    Array.prototype.forEach.call(document.querySelectorAll(".bandwidth-mfa " + selector), work);
  }

  // Rounded up, so that nobody presses too early.
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
    // What has to be waited for is over in the next minute; what works, works until this one.
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
      return moment.toLocaleString(undefined, parts); // a language that this browser does not know
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

  // Before the other scripts hear of it: a form that is held back is not sent.
  document.addEventListener(
    "submit",
    function (event) {
      var pressed = event.submitter || document.activeElement;
      var button = pressed && pressed.closest ? pressed.closest("[data-wait]") : null;
      if (!button && event.target.querySelector) {
        // The Enter key in the field presses the first button.
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

  // Also right after the back button, or when a laptop wakes up.
  window.addEventListener("pageshow", look);
  document.addEventListener("visibilitychange", look);
  // Said by the script that follows the delivery.
  document.addEventListener("bandwidth-mfa-waits", look);

  look();
  window.setTimeout(function () {
    each("[data-seconds]", function (element) {
      if (isWait(element) && !element.hasAttribute("data-done")) say(element.textContent);
    });
  }, 500);
})();
