// What is said where some faces of the gallery could not be searched.
import { html } from "../html.js";
import { count } from "../text.js";

/** `parts` are those that an answer names as not searched; nothing is shown where there are none. */
export const Unsearched = ({ parts = [] }) => {
  if (!parts.length) return null;
  const faces = parts.reduce((sum, part) => sum + part.faces, 0);
  return html`
    <p class="notice" role="alert">
      Not all of the gallery was searched: ${count(faces, "face")} ${faces === 1 ? "is" : "are"} out of reach. Try again later.
    </p>
  `;
};
