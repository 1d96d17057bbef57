// Small comforts on top of pages that work without them. No page depends on this file.
"use strict";

// A dropped session answers 401 with HX-Redirect; any other error is shown where the answer would have gone.
document.addEventListener("htmx:beforeSwap", (event) => {
  if ([403, 404, 422, 429, 503].includes(event.detail.xhr.status)) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

// A list that asks for itself ([data-careful]) is not replaced under somebody who types in it, has something of it open,
// or stands on what is not there any more. That it has changed is said; what came stays aside, so that the next question
// is about what is newer still.
const aside = new WeakMap();

const inUse = (list, fresh) => {
  const here = list.contains(document.activeElement) ? document.activeElement : null;
  const fields = [...list.querySelectorAll("input:not([type=hidden])")];
  return (
    fields.some((field) => field === here || field.value !== field.defaultValue) ||
    (here !== null && !(here.id && fresh.querySelector(`#${CSS.escape(here.id)}`))) ||
    list.querySelector("details[open]") !== null
  );
};

document.addEventListener("htmx:configRequest", (event) => {
  const list = event.detail.elt;
  const fresh = aside.get(list);
  if (fresh && inUse(list, fresh)) event.detail.path = fresh.getAttribute("hx-get");
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const list = event.detail.target;
  if (!list.matches("[data-careful]") || event.detail.xhr.status === 204) return;
  if (event.detail.xhr.status !== 200) {
    event.detail.shouldSwap = false; // it asks again; an error in its place would not
    return;
  }
  const answer = new DOMParser().parseFromString(event.detail.xhr.response, "text/html");
  const fresh = answer.getElementById(list.id);
  const held = document.getElementById("held");
  held.replaceChildren();
  if (!inUse(list, fresh)) return;
  event.detail.shouldSwap = false;
  aside.set(list, fresh);
  const words = document.getElementById("held-words").content.cloneNode(true);
  words.querySelector("span").textContent = answer.querySelector("[hx-swap-oob]").textContent;
  held.append(words);
});

// "Copy" buttons appear only where they work.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    button.textContent = button.dataset.done;
  });
}

// Where a menu is wider than the window, the page that is shown stands in it.
for (const here of document.querySelectorAll(".menu [aria-current], .side [aria-current]")) {
  here.scrollIntoView({ block: "nearest", inline: "center" });
}

// A second press of a button that has sent its form does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 5000);
});
