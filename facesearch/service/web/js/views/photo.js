// One photo with its faces: correct who they are, or draw one that was missed.
import { Icon } from "../controls/icon.js";
import { PhotoFrame, middleBox } from "../components/photo_frame.js";
import { PhotoWalk } from "../components/photo_walk.js";
import { FaceCrop, PersonLabel } from "../components/picture.js";
import { Failure, Heading, Loading } from "../controls/states.js";
import { WhoIsThis } from "../components/who_is_this.js";
import { useResource } from "../data/resource.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { go } from "../router.js";
import { count, day, fileName, seen } from "../text.js";
import { toast } from "../toasts.js";

const LEAST_SIDE = 12;

const isLarge = ([left, top, right, bottom]) => right - left >= LEAST_SIDE && bottom - top >= LEAST_SIDE;

const FaceList = ({ faces, onSelect }) => html`
  <section aria-labelledby="faces-of-photo">
    <h2 id="faces-of-photo">${count(faces.length, "face")}</h2>
    <ul class="choice">
      ${faces.map(
        (face) => html`
          <li key=${face.id}>
            <button type="button" class="plain" onClick=${() => onSelect(face)}>
              <${FaceCrop} face=${face.id} />
              <span>
                ${face.person
                  ? html`<${PersonLabel} person=${{ name: face.named, label: face.label }} />`
                  : html`<span class="unnamed">Who is this?</span>`}
                ${face.seconds && html` <span class="soft small">${seen(face)}</span>`}
              </span>
            </button>
          </li>
        `,
      )}
    </ul>
  </section>
`;

const DrawPanel = ({ drawing }) => html`
  <section aria-labelledby="draw-title">
    <h2 id="draw-title">Draw a face</h2>
    <p class="soft">
      Drag a box around the face, from the forehead to the chin. With the keyboard: arrow keys move the box, with
      Shift they size it.
    </p>
    <div class="actions">
      <button type="button" class="primary" onClick=${drawing.onDone}>Add this face <kbd aria-hidden="true">Enter</kbd></button>
      <button type="button" onClick=${drawing.onCancel}>Cancel <kbd aria-hidden="true">Esc</kbd></button>
    </div>
  </section>
`;

/** The box that is being drawn, and what to do with it; null while nobody draws. */
const useDrawing = (photo, onDrawn) => {
  const decisions = useDecisions();
  const [box, setBox] = useState(null);
  const begin = () => setBox(middleBox(photo));
  const cancel = () => setBox(null);
  const finish = async () => {
    if (!isLarge(box)) return toast({ text: "The box is too small. Draw it from the forehead to the chin.", kind: "error" });
    const result = await decisions.draw(photo.id, box.map(Math.round), { person: null, name: null });
    if (!result) return undefined;
    setBox(null);
    return onDrawn(result.face);
  };
  return [box && { box, setBox, onDone: finish, onCancel: cancel }, begin];
};

/** The faces in the still that is shown: of a video those around `face`, of a photo all. */
const facesBeside = (face, faces) =>
  faces.filter((each) => !face?.seconds || each.seconds?.still === face.seconds.still);

const Facts = ({ photo }) => {
  const { to, original } = useGallery();
  return html`
    <p class="facts soft">
      <a href=${to("folders", photo.folder)}>${photo.folder || "All folders"}</a>
      ${photo.taken_at && html`<span class="dot" />${day(photo.taken_at)}`}
      <span class="dot" />${photo.width} × ${photo.height}
      ${!photo.video && html`<span class="dot" /><a href=${original(photo.id)} target="_blank" rel="noreferrer">Open the file</a>`}
    </p>
    ${photo.reason === "partial" && html`<p class="soft small">Only a part of this photo could be read. ${photo.detail}</p>`}
    ${photo.locations?.length > 1 && html`<p class="soft small">Also at ${photo.locations.slice(1).join(", ")}</p>`}
  `;
};

const Photo = ({ photo, query }) => {
  const selected = query.face ?? null;
  const { to, can, thumbnail } = useGallery();
  const mayDraw = can("decide") && !photo.video;
  const select = (face) => go(to("photo", photo.id, { ...query, face: face?.id ?? null }), { replace: true });
  const [drawing, begin] = useDrawing(photo, select);
  const face = photo.found.find((each) => each.id === selected);
  const first = photo.video ? [...photo.found].sort((one, other) => one.seconds.still - other.seconds.still)[0] : null;
  const shown = face ?? first;
  const step = (by) => {
    const at = photo.found.indexOf(face);
    const most = photo.found.length;
    if (most) select(photo.found[face ? (at + by + most) % most : by > 0 ? 0 : most - 1]);
  };
  useKeys([
    { key: "ArrowRight", does: "Next face", run: () => step(1) },
    { key: "ArrowLeft", does: "Previous face", run: () => step(-1) },
    { key: "Escape", does: "All faces", run: () => (drawing ? drawing.onCancel() : select(null)) },
    ...(mayDraw ? [{ key: "d", does: "Draw a face that was missed", run: begin }] : []),
  ]);
  return html`
    <${Heading}
      actions=${mayDraw &&
      !drawing &&
      html`<button type="button" onClick=${begin}><${Icon} name="draw" /> Draw a face <kbd aria-hidden="true">d</kbd></button>`}
    >
      <bdi>${fileName(photo.name)}</bdi>
    <//>
    <${Facts} photo=${photo} />
    ${query.of !== undefined && html`<${PhotoWalk} id=${photo.id} query=${query} />`}
    <div class="photo-page">
      <${PhotoFrame}
        key=${photo.video ? shown?.seconds.still : null}
        photo=${photo}
        faces=${facesBeside(shown, photo.found)}
        selected=${selected}
        onSelect=${select}
        drawing=${drawing}
        src=${photo.video ? thumbnail(photo.id, 1600, shown?.id) : null}
      />
      <div class="panel">
        ${drawing
          ? html`<${DrawPanel} drawing=${drawing} />`
          : face
            ? html`<${WhoIsThis} key=${face.id} face=${face} onClose=${() => select(null)} />`
            : html`<${FaceList} faces=${photo.found} onSelect=${select} />`}
      </div>
    </div>
  `;
};

export const PhotoView = ({ id, query }) => {
  const { path } = useGallery();
  const { data: photo, error } = useResource(path(`photos/${id}`));
  if (error) return html`<${Failure} error=${error} />`;
  if (!photo) return html`<${Loading} />`;
  return html`<${Photo} key=${photo.id} photo=${photo} query=${query} />`;
};
