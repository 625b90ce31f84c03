/*
 * Copy, save or print the recovery codes. Each copy begins with a line that names the account and the
 * site. Without this script the codes can be written down, or printed with the browser.
 */
(function () {
  "use strict";

  var title = document.getElementById("bandwidth-mfa-codes-title");
  var codes = document.getElementById("bandwidth-mfa-codes");
  var row = document.getElementById("bandwidth-mfa-copies");
  if (!codes || !row) return;

  function text() {
    var lines = Array.prototype.map.call(codes.children, function (item) {
      return item.textContent;
    });
    // If the site overrides the template, there may be no title.
    if (title) lines.unshift(title.textContent.trim(), "");
    return lines.join("\n") + "\n";
  }

  var ways = {
    copy: function () {
      navigator.clipboard.writeText(text()).then(function () {
        row.querySelector("[role=status]").textContent = row.getAttribute("data-copied");
      });
    },
    download: function () {
      var link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text()], { type: "text/plain" }));
      link.download = row.getAttribute("data-file");
      document.body.appendChild(link);
      link.click();
      document.body.removeChild(link);
    },
    print: function () {
      window.print();
    },
  };

  // Browsers let a page use the clipboard only with HTTPS.
  var canCopy = navigator.clipboard && navigator.clipboard.writeText;
  Array.prototype.forEach.call(row.querySelectorAll("[data-do]"), function (button) {
    var what = button.getAttribute("data-do");
    if (what === "copy" && !canCopy) button.hidden = true;
    button.addEventListener("click", ways[what]);
  });
  row.hidden = false;
})();
