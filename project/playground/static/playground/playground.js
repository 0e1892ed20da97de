// Some actions take seconds: show that one runs, and prevent a second press.
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
