// The setup page: takes the one-time token from the fragment of the address, which no server ever sees, and creates the
// first administrator with it. The ids are made once, so that sending again after a lost answer is the same request.
"use strict";

const API = "/api/v1";
const form = document.getElementById("setup");
const status = document.getElementById("status");
const button = form.querySelector("button");
const token = decodeURIComponent(location.hash.slice(1));
const accountId = newId();
const deviceId = newId();

// crypto.randomUUID exists on https and localhost only; a server at home may be reached by http.
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function word(name) {
  const item = document.querySelector(`[data-word="${CSS.escape(name)}"]`);
  return (item || document.querySelector('[data-word="failed"]')).textContent;
}

function say(text, bad) {
  status.textContent = text;
  status.classList.toggle("bad", bad);
  status.focus();
}

async function ask(method, path, body, accessToken) {
  const headers = { "Content-Type": "application/json" };
  if (accessToken) headers.Authorization = `Bearer ${accessToken}`;
  const response = await fetch(API + path, { method, headers, body: body && JSON.stringify(body) });
  const answer = response.status === 204 ? null : await response.json();
  return { ok: response.ok, answer };
}

async function create() {
  const account = {
    account_id: accountId,
    device: { device_id: deviceId, name: "setup page", platform: "web" },
    username: form.username.value,
    email: form.email.value,
    password: form.password.value,
    language: document.documentElement.lang,
  };
  const { ok, answer } = await ask("POST", "/setup", { token, account });
  if (!ok) return say(word(answer.code), true);
  // The page is no device of anybody's: it gives its place back, and with it the session.
  await ask("DELETE", `/devices/${answer.device_id}`, undefined, answer.access_token).catch(() => undefined);
  const name = form.username.value;
  form.remove();
  return say(word("done").replace("NAME", () => name), false);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.password.value !== form.again.value) return say(word("differ"), true);
  button.disabled = true;
  say(word("busy"), false);
  try {
    await create();
  } catch {
    say(word("unreachable"), true);
  }
  button.disabled = false;
});

if (token) {
  history.replaceState(null, "", location.pathname);
} else {
  form.hidden = true;
  say(word("no_token"), true);
}
