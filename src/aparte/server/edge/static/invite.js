// The page of an invite link: puts the whole link into the command, and takes its key out of the address bar at once.
// The key is the part after #, which no browser sends; this page has no way to send anything (connect-src is 'none').
// A link into a room that the server can read has none. Which of the two it is, only its form tells: nobody is asked.
"use strict";

const key = location.hash.slice(1);
if (key) history.replaceState(null, "", location.pathname);

function say(word, isBad) {
  const status = document.getElementById("status");
  status.textContent = document.querySelector(`[data-word="${word}"]`).textContent;
  status.classList.toggle("bad", isBad);
}

if (key && !/^[A-Za-z0-9_-]{43}$/.test(key)) {
  say("incomplete", true);
} else {
  const link = `${location.origin}${location.pathname}${key ? `#${key}` : ""}`;
  const command = document.getElementById("command");
  command.textContent = command.textContent.replace("LINK", () => link);
  if (!key) say("readable", false);
}
