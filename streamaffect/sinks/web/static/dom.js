// Small words for making elements. Texts are set as texts, never as HTML: labels come from anywhere.

export const find = (selector) => document.querySelector(selector);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Sets a text only where it has changed, so that nothing is laid out anew fifteen times a second.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export const faceColour = (slot) => colour(`face-${slot % 8}`);

export function signed(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return `${Math.round(value * 100) < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

export function clockTime(seconds, digits = 0) {
  const sign = seconds < 0 ? "−" : "";
  const whole = Math.abs(digits ? Math.round(seconds * 10 ** digits) / 10 ** digits : Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = (whole % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${sign}${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${sign}${minutes}:${rest}`;
}

export const isTyping = (event) =>
  event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT", "TEXTAREA", "VIDEO"].includes(event.target.tagName);

export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new Event("themechange"));
}
