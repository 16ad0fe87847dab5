"use strict";
const news = document.getElementById("news");
const known = Number(news.dataset.known);
async function look() {
  try {
    const answer = await fetch("/api/v1/info", { cache: "no-store" });
    const count = (await answer.json()).Messages - known;
    if (count > 0) {
      const link = document.createElement("a");
      link.href = "/";
      link.textContent = count === 1 ? "1 new mail: show it" : `${count.toLocaleString("en")} new mails: show them`;
      news.replaceChildren(link);
    }
  } catch {
    news.textContent = "The sandbox does not run at this moment.";
  }
  setTimeout(look, 1000);
}
setTimeout(look, 1000);
