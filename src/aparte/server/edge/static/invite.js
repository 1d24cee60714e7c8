// The page of an invite link: puts the whole link into the command, and takes its key out of the address bar at once.
// The key is the part after #, which no browser sends; this page has no way to send anything (connect-src is 'none').
"use strict";

const key = location.hash.slice(1);
if (key) history.replaceState(null, "", location.pathname);
if (/^[A-Za-z0-9_-]{43}$/.test(key)) {
  const link = `${location.origin}${location.pathname}#${key}`;
  const command = document.getElementById("command");
  command.textContent = command.textContent.replace("LINK", () => link);
} else {
  const status = document.getElementById("status");
  status.textContent = document.querySelector('[data-word="incomplete"]').textContent;
  status.classList.add("bad");
}
