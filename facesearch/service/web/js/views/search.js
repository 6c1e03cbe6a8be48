// Who is in this photo? A photo is dropped, pasted or chosen, and is not kept.
import { post } from "../api.js";
import { Icon } from "../controls/icon.js";
import { PhotoFrame } from "../components/photo_frame.js";
import { FaceCrop } from "../components/picture.js";
import { Failure, Heading } from "../controls/states.js";
import { Unsearched } from "../controls/unsearched.js";
import { useGallery } from "../gallery.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { count } from "../text.js";
import { takeDropped, useDropped } from "../dropped.js";

const NEIGHBOURS = 12;

const formOf = (file) => {
  const form = new FormData();
  form.append("photo", file);
  return form;
};

/** The size of a photo as it is shown; null for a kind that the browser cannot show. */
const sizeOf = async (src) => {
  const image = new Image();
  image.src = src;
  try {
    await image.decode();
    return { width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    return null;
  }
};

/** The answer to a photo: {src, isAsking, data, error}, and a function that asks. */
const usePhotoSearch = () => {
  const { path } = useGallery();
  const [state, setState] = useState({});
  const latest = useRef(0);
  const ask = async (file) => {
    const turn = ++latest.current;
    const src = URL.createObjectURL(file);
    setState({ src, isAsking: true });
    const show = (rest) => turn === latest.current && setState({ src, ...rest });
    try {
      const [found, identified, photo] = await Promise.all([
        post(path("search"), formOf(file), { params: { k: NEIGHBOURS } }),
        post(path("identify"), formOf(file)),
        sizeOf(src),
      ]);
      show({ data: { faces: found.faces, unsearched: found.unsearched, identified: identified.photos[0], photo } });
    } catch (error) {
      show({ error });
    }
  };
  useEffect(() => () => URL.revokeObjectURL(state.src), [state.src]);
  return [state, ask];
};

const DropZone = ({ ask, isCompact }) => {
  const input = useRef(null);
  const onChange = (event) => event.target.files[0] && ask(event.target.files[0]);
  return html`
    <div class="drop ${isCompact ? "compact" : ""}">
      ${!isCompact && html`<${Icon} name="photo" /><p>Drop a photo anywhere on this page, paste one, or</p>`}
      <button type="button" class=${isCompact ? "" : "primary"} onClick=${() => input.current.click()}>
        ${isCompact ? "Choose another photo" : "Choose a photo"}
      </button>
      <input ref=${input} type="file" accept="image/*,.heic,.heif,.avif,.tif,.tiff" class="unseen" tabindex="-1" aria-label="Photo to search with" onChange=${onChange} />
      ${!isCompact && html`<p class="soft small">The photo is only looked at: it is not kept.</p>`}
    </div>
  `;
};

const Verdict = ({ identification }) => {
  if (!identification) return null;
  const { name, nearest } = identification;
  if (name) return html`This is <bdi>${name}</bdi>.`;
  if (nearest) return html`Nobody with a name; the nearest is <bdi>${nearest.name}</bdi>.`;
  return "Nobody here has a name yet.";
};

const Matches = ({ matches }) => {
  const { to } = useGallery();
  return html`
    <ul class="strip">
      ${matches.map(
        ({ face }) => html`
          <li key=${face.id}>
            <a class="face" href=${to("photo", face.photo.id, { face: face.id })} title=${face.photo.name}>
              <${FaceCrop} face=${face.id} alt="${face.label ?? "A face of nobody"} in ${face.photo.name}" />
            </a>
            <span class="caption small soft"><bdi>${face.label ?? ""}</bdi></span>
          </li>
        `,
      )}
    </ul>
  `;
};

const sameBox = (one, other) => one.box.every((edge, index) => Math.abs(edge - other.box[index]) < 1);

const Found = ({ src, data }) => {
  const { to } = useGallery();
  const [selected, setSelected] = useState(0);
  const faces = data.faces.map((face, index) => ({
    ...face,
    id: index,
    identification: data.identified.faces.find((each) => sameBox(each, face)),
  }));
  const face = faces[selected];
  const select = (each) => setSelected(each.id);
  const labelled = faces.map((each) => ({ ...each, label: each.identification?.name ?? null }));
  return html`
    <p class="found" role="status">${faces.length ? `${count(faces.length, "face")} found in the photo.` : "No face was found in the photo."}</p>
    <div class="photo-page">
      ${data.photo
        ? html`<${PhotoFrame} photo=${data.photo} faces=${labelled} selected=${selected} onSelect=${select} src=${src} />`
        : html`<p class="notice">The browser cannot show this kind of photo; the service could read it.</p>`}
      ${face &&
      html`
        <div class="panel" aria-live="polite">
          <h2><${Verdict} identification=${face.identification} /></h2>
          ${face.identification?.person &&
          html`<p><a href=${to("person", face.identification.person)}>All photos of ${face.identification.name}</a></p>`}
          <h3>The most similar faces</h3>
          <${Unsearched} parts=${data.unsearched} />
          <${Matches} matches=${face.matches} />
        </div>
      `}
    </div>
  `;
};

export const SearchView = () => {
  const [{ src, data, error, isAsking }, ask] = usePhotoSearch();
  const dropped = useDropped();
  useEffect(() => {
    const file = takeDropped();
    if (file) ask(file);
  }, [dropped]);
  return html`
    <${Heading} note="Who is in this photo, and where else?">Search by photo<//>
    <${DropZone} ask=${ask} isCompact=${Boolean(src)} />
    ${isAsking && html`<p class="loading" role="status">Looking for faces…</p>`}
    ${error && html`<${Failure} error=${error} />`}
    ${data && html`<${Found} key=${src} src=${src} data=${data} />`}
  `;
};
