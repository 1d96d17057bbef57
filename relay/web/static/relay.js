// Small comforts on top of pages that work without them. No page depends on this file.
"use strict";

// A dropped session answers 401 with HX-Redirect; any other error is shown where the answer would have gone.
document.addEventListener("htmx:beforeSwap", (event) => {
  if ([403, 404, 422, 429, 503].includes(event.detail.xhr.status)) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
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
