// Some actions take seconds: say that it runs, and let nobody press twice.
document.addEventListener("submit", ({ target }) => {
    const button = target.querySelector("button");
    button.disabled = true;
    button.textContent = "Running …";
});

// Coming back to a page with the browser's button must not leave it disabled.
window.addEventListener("pageshow", ({ persisted }) => {
    if (persisted) {
        location.reload();
    }
});
