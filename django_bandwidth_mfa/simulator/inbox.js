// Fetch the page every two seconds, and show changes. Without this script the page reloads.
const parts = ["clock", "summary", "screen"];

async function refresh() {
  // Do not replace a code while the user is selecting it.
  if (document.hidden || !getSelection().isCollapsed) return;
  try {
    const answer = await fetch("/inbox");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of parts) {
      const shown = document.getElementById(id);
      const next = fresh.getElementById(id);
      if (shown.innerHTML !== next.innerHTML) shown.replaceChildren(...next.childNodes);
    }
    document.body.classList.remove("offline");
  } catch {
    document.body.classList.add("offline"); // the simulator was stopped
  }
}

setInterval(refresh, 2000);
document.addEventListener("visibilitychange", refresh);
