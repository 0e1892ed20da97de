// Filter the signals of the guide, and copy examples.
"use strict";

const guide = document.querySelector(".signals-guide");
const form = guide.querySelector(".signals-find");
const box = form.querySelector("input");
const found = form.querySelector("[role=status]");
const articles = [...guide.querySelectorAll("article[data-signal]")];
const texts = new Map(
    articles.map(article => [
        article.dataset.signal,
        `${article.closest("section").querySelector("h2").textContent} ${article.textContent}`
            .toLowerCase(),
    ]),
);

function filter() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    // Match the names of signals first, else any text.
    const names = [...texts.keys()].filter(name => words.every(word => name.includes(word)));
    const shown = new Set(
        names.length
            ? names
            : [...texts.keys()].filter(name => words.every(word => texts.get(name).includes(word))),
    );
    for (const item of guide.querySelectorAll("[data-signal]")) {
        item.hidden = !shown.has(item.dataset.signal);
    }
    for (const family of guide.querySelectorAll("[data-family]")) {
        family.hidden = !family.querySelector("[data-signal]:not([hidden])");
    }
    guide.querySelector("#connect").hidden = words.length > 0;
    guide.querySelector("[data-nothing]").hidden = shown.size > 0;
    found.textContent = words.length
        ? found.dataset.text.replace("{found}", shown.size).replace("{all}", texts.size)
        : "";
}

form.hidden = false;
form.addEventListener("submit", event => event.preventDefault());
box.addEventListener("input", filter);
// A link to a signal that is filtered out must still work.
addEventListener("hashchange", () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target?.closest("[hidden]")) {
        box.value = "";
        filter();
        target.scrollIntoView();
    }
});
filter(); // the browser may have kept the text of an earlier visit

// Only pages in a secure context have a clipboard.
if (navigator.clipboard) {
    for (const figure of guide.querySelectorAll(".signals-examples figure")) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = guide.dataset.copy;
        button.addEventListener("click", async () => {
            await navigator.clipboard.writeText(figure.querySelector("code").textContent);
            button.textContent = guide.dataset.copied;
            setTimeout(() => (button.textContent = guide.dataset.copy), 2000);
        });
        figure.append(button);
    }
}
