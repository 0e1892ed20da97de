"use strict";

/* Polls for new events about once a second while the page is visible, and puts them on top. */
{
    const PERIOD = 800; // ms; events are stored every half second
    const LONGEST = 5000; // ms between two requests while the server does not answer
    const PATIENCE = 10000; // ms to wait for an answer
    const QUIET = 5000; // ms between two announcements
    const MOST = 500; // events kept on the page
    const NEAR = 5; // traces at the top, among which a growing one keeps its place

    const root = document.getElementById("signals-live");

    if (root) {
        const words = root.dataset;
        const list = root.querySelector(".signals-live-traces");
        const bar = root.querySelector(".signals-live-bar");
        const state = bar.querySelector(".signals-live-state");
        const button = bar.querySelector("button");
        const announcement = root.querySelector(".signals-live-news");
        let after = words.after;
        let isPaused = false;
        let hasEnded = false;
        let failures = 0;
        let turn = 0; // an answer to a request of an earlier turn comes too late
        let timer;
        let unannounced = 0;
        let announcedAt = 0;

        const show = (name) => {
            if (bar.dataset.state !== name) {
                bar.dataset.state = name;
                state.textContent = words[name];
            }
        };

        const askIn = (delay) => {
            turn += 1;
            clearTimeout(timer);
            if (!isPaused && !hasEnded && !document.hidden) {
                timer = setTimeout(ask, delay, turn);
            }
        };

        const end = (name) => {
            hasEnded = true;
            show(name);
            button.hidden = button.nextElementSibling.hidden = true;
            bar.querySelector("a").hidden = name !== "loggedOut";
        };

        const ask = async (mine) => {
            const address = new URL(words.url, location.href);
            address.search = location.search;
            address.searchParams.set("after", after);
            let news = null;
            let response = null;
            try {
                response = await fetch(address, {
                    cache: "no-store",
                    redirect: "manual", // to the login
                    signal: AbortSignal.timeout(PATIENCE),
                });
                news = response.ok ? await response.json() : null;
            } catch {
                // The server is away, or being started.
            }
            if (mine !== turn) {
                return;
            }
            if (response?.type === "opaqueredirect") {
                end("loggedOut");
            } else if (response?.status === 403) {
                end("refused");
            } else if (news === null) {
                failures += 1;
                show("reconnecting");
            } else {
                failures = 0;
                after = news.after;
                show("live");
                put(news.html);
                announce(news.count);
            }
            askIn(Math.min(PERIOD * 2 ** failures, LONGEST));
        };

        const put = (html) => {
            const made = document.createElement("template");
            made.innerHTML = html; // of Django's templates, which escape what was recorded
            const traces = [...list.children];
            for (const trace of [...made.content.children].reverse()) {
                const id = trace.dataset.trace;
                const known = traces.findIndex((other) => other.dataset.trace === id);
                if (id === undefined || known < 0) {
                    list.prepend(trace);
                    continue;
                }
                traces[known].querySelector("h3").replaceWith(trace.querySelector("h3"));
                traces[known].querySelector("ol").append(...trace.querySelector("ol").children);
                if (known >= NEAR) {
                    list.prepend(traces[known]);
                }
            }
            forget(list.querySelectorAll("ol > li").length - MOST);
        };

        const forget = (number) => {
            for (; number > 0; number -= 1) {
                const oldest = list.lastElementChild;
                oldest.querySelector("ol > li")?.remove();
                if (!oldest.querySelector("ol > li")) {
                    oldest.remove();
                }
            }
        };

        const announce = (count) => {
            unannounced += count;
            if (unannounced && Date.now() - announcedAt >= QUIET) {
                announcement.textContent = words.new.replace("%s", unannounced);
                announcedAt = Date.now();
                unannounced = 0;
            }
        };

        const toggle = () => {
            if (!hasEnded) {
                isPaused = !isPaused;
                button.textContent = isPaused ? words.goOn : words.pause;
                show(isPaused ? "paused" : "live");
                askIn(0);
            }
        };

        button.addEventListener("click", toggle);
        document.addEventListener("visibilitychange", () => askIn(0));
        document.addEventListener("keydown", (event) => {
            const isElsewhere = event.target.closest("a, button, input, select, textarea, summary");
            if (event.key === " " && !isElsewhere) {
                event.preventDefault();
                toggle();
            }
        });
        // An element that is moved would be highlighted again.
        list.addEventListener("animationend", (event) => {
            event.target.classList.remove("signals-fresh");
        });

        root.querySelector(".signals-live-still").hidden = true;
        bar.hidden = false;
        button.textContent = words.pause;
        show("live");
        askIn(PERIOD);
    }
}
