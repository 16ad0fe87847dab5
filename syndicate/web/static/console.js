// What the console does beyond its pages: it closes menus, and keeps a form from being sent twice by a double click.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.person[open], details.confirm[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.person[open], details.confirm[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
});
// On a narrow screen the bar is wider than it: where one is, is shown.
document.querySelector(".sections [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
// A page that comes back from the browser's memory has sent nothing.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});
