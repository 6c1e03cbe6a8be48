// A field that searches while somebody types.
import { html, useEffect, useRef, useState } from "../html.js";
import { useKeys } from "../keys.js";

const PAUSE = 150;

export const SearchField = ({ label, placeholder, value, onSearch }) => {
  const [text, setText] = useState(value);
  const input = useRef(null);
  const sent = useRef(value);
  useKeys([{ key: "/", does: "Search", run: () => input.current.focus() }]);
  useEffect(() => {
    // The address may change by itself, as when somebody goes back.
    if (value !== sent.current) setText(value);
    sent.current = value;
  }, [value]);
  useEffect(() => {
    if (text.trim() === sent.current) return undefined;
    const timer = setTimeout(() => {
      sent.current = text.trim();
      onSearch(sent.current);
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return html`
    <search class="search">
      <input
        ref=${input}
        type="search"
        dir="auto"
        aria-label=${label}
        placeholder=${placeholder}
        value=${text}
        autocomplete="off"
        spellcheck=${false}
        aria-keyshortcuts="/"
        onInput=${(event) => setText(event.target.value)}
        onKeyDown=${(event) => event.key === "Escape" && setText("")}
      />
    </search>
  `;
};
