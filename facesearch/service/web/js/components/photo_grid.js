// Photos in a grid, each leading to its page.
import { useGallery } from "../gallery.js";
import { html, useState } from "../html.js";
import { count, day, fileName } from "../text.js";
import { Grid } from "./grid.js";
import { placeInList } from "./photo_walk.js";

const Thumbnail = ({ photo }) => {
  const { thumbnail } = useGallery();
  const [failed, setFailed] = useState(false);
  if (failed) return html`<span class="missing soft small">The photo cannot be shown</span>`;
  return html`
    <img
      src=${thumbnail(photo.id, 320)}
      alt=""
      loading="lazy"
      decoding="async"
      onError=${() => setFailed(true)}
    />
  `;
};

const PhotoTile = ({ photo, place, tabIndex }) => {
  const { to } = useGallery();
  return html`
    <a
      class="photo-tile"
      data-cell
      href=${to("photo", photo.id, place)}
      tabindex=${tabIndex}
      aria-label="${photo.name}, ${count(photo.faces, "face")}"
    >
      <${Thumbnail} photo=${photo} />
      <span class="caption soft small"><bdi>${day(photo.taken_at) || fileName(photo.name)}</bdi></span>
    </a>
  `;
};

/** The photos of a `list`, which the service has for `params`. */
export const PhotoGrid = ({ label, list, params }) => html`
  <${Grid}
    label=${label}
    list=${list}
    minimum=${168}
    ratio=${0.75}
    caption=${28}
    keyOf=${(photo) => photo.id}
    cell=${(photo, { index, tabIndex }) => html`<${PhotoTile} photo=${photo} place=${placeInList(params, index)} tabIndex=${tabIndex} />`}
  />
`;
