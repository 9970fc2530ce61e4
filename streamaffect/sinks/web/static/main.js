// What the page is: a run, a recording, or a door that asks for the token.
import { find, isTyping, say, setTheme } from "./dom.js";

function theme() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const kept = localStorage.getItem("theme");
  setTheme(kept ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => localStorage.getItem("theme") ?? setTheme(dark.matches ? "dark" : "light"));
  const turn = () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", next);
    setTheme(next);
  };
  find("#theme").addEventListener("click", turn);
  document.addEventListener("keydown", (event) => {
    if (event.key === "t" && !isTyping(event)) turn();
  });
}

async function enter(token) {
  const answer = await fetch("/v1/login", { method: "POST", body: token });
  return answer.ok ? "" : (await answer.json()).error;
}

function askForToken() {
  find("#login").hidden = false;
  say(find("#state"), "closed");
  find("#token").focus();
  find("#login-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const complaint = await enter(find("#token").value.trim());
    if (complaint) say(find("#login-error"), complaint);
    else location.reload();
  });
}

async function begin() {
  theme();
  const word = new URLSearchParams(location.hash.slice(1)).get("token");
  if (word) {
    history.replaceState(null, "", location.pathname);
    await enter(word);
  }
  const { closed } = await (await fetch("/v1/door")).json();
  if (closed) {
    askForToken();
    return;
  }
  const about = await (await fetch("/v1/page")).json();
  say(find("#notice"), about.notice);
  find(`#${about.mode}`).hidden = false;
  if (about.mode === "recording") {
    const { RecordingView } = await import("/static/recording.js");
    await RecordingView.open();
  } else {
    const { Live } = await import("/static/live.js");
    new Live(about);
  }
}

begin();
