// Pictures of faces. One that cannot be shown is replaced by the outline of a head.
import { useGallery } from "../gallery.js";
import { html, useState } from "../html.js";

const Nobody = ({ label }) => html`
  <svg class="blank" viewBox="0 0 48 48" role="img" aria-label=${label}>
    <circle cx="24" cy="19" r="8" />
    <path d="M8 44c1-10 7-15 16-15s15 5 16 15z" />
  </svg>
`;

/** The crop of a face, loaded when it is near the screen. `alt` is "" where a label is beside it. */
export const FaceCrop = ({ face, alt = "", size = 160 }) => {
  const { crop } = useGallery();
  const [failed, setFailed] = useState(null);
  if (!face || failed === face) {
    return alt ? html`<${Nobody} label="${alt} (no picture)" />` : html`<span aria-hidden="true"><${Nobody} /></span>`;
  }
  return html`
    <img
      key=${face}
      src=${crop(face, size)}
      alt=${alt}
      width=${size}
      height=${size}
      loading="lazy"
      decoding="async"
      draggable=${false}
      onError=${() => setFailed(face)}
    />
  `;
};

/** The name of a person; numbers stand for people who have none. */
export const PersonLabel = ({ person }) => html`
  <bdi class=${person.name ? "" : "unnamed"}>${person.label}</bdi>
`;

/** A small round picture with the name below, that leads to the person; `more` are properties. */
export const PersonLink = ({ person, more = {}, children }) => {
  const { to } = useGallery();
  return html`
    <a class="who" href=${to("person", person.id)} ...${more}>
      <${FaceCrop} face=${person.cover?.face} />
      <span><${PersonLabel} person=${person} />${children}</span>
    </a>
  `;
};
