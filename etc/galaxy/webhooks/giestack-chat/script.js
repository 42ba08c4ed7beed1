// Puts giestack's chat on Galaxy's pages. Galaxy runs this text whenever it makes its masthead.
(() => {
    // Where the chat is. Empty: beside Galaxy, at giestack/chat, which giestack has on the proxy's port. On a port
    // or a host of its own: its address without a slash at the end, such as "https://galaxy.example.org:7070".
    const CHAT = "";

    const ICON = "#giestack-chat";
    const once = Symbol.for("giestack.galaxy.masthead");
    if (window[once]) return;
    window[once] = true;

    const root = document.querySelector("link[rel='index']")?.getAttribute("href") ?? "/";
    const chat = CHAT || `${root.replace(/\/$/, "")}/giestack/chat`;

    // People keep a page of Galaxy open all day: a chat that is away now may be there later.
    function load() {
        const tag = document.createElement("script");
        tag.src = `${chat}/widget.js`;
        tag.async = true;
        tag.onerror = () => {
            tag.remove();
            setTimeout(load, 60000);
        };
        document.head.append(tag);
    }

    // Before Galaxy sees the click: it would go to the icon's URL, and there is none.
    function clicked(event) {
        if (!event.target.closest?.(ICON)) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        const heard = !window.dispatchEvent(new Event("giestack-chat-toggle", { cancelable: true }));
        if (!heard) window.open(`${chat}/`, "giestack-chat");
    }

    document.addEventListener("click", clicked, true);
    load();
})();
