// A photo with its faces outlined, and a box that can be drawn on it.
import { useGallery } from "../gallery.js";
import { html, useLayoutEffect, useRef, useState } from "../html.js";

const STEP = 0.01;
const LEAST = 12;
// So many names can be read at once.
const FEW = 6;

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

/** Where a box in pixels of the photo lies, as styles in percent. */
const placeOf = ([left, top, right, bottom], photo) => ({
  left: `${(left / photo.width) * 100}%`,
  top: `${(top / photo.height) * 100}%`,
  width: `${((right - left) / photo.width) * 100}%`,
  height: `${((bottom - top) / photo.height) * 100}%`,
});

/** A box in the middle of the photo, for who draws with the keyboard. */
export const middleBox = ({ width, height }) => {
  const half = Math.min(width, height) / 8;
  return [width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half];
};

/** `box` moved, or with `isResizing` made larger or smaller, by steps of the photo's shorter side. */
const nudged = (box, [x, y], isResizing, { width, height }) => {
  const step = Math.min(width, height) * STEP;
  const [left, top, right, bottom] = box;
  if (isResizing) {
    return [left, top, clamp(right + x * step, left + LEAST, width), clamp(bottom + y * step, top + LEAST, height)];
  }
  const dx = clamp(x * step, -left, width - right);
  const dy = clamp(y * step, -top, height - bottom);
  return [left + dx, top + dy, right + dx, bottom + dy];
};

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const DrawLayer = ({ photo, box, setBox, onDone, onCancel }) => {
  const layer = useRef(null);
  const start = useRef(null);
  useLayoutEffect(() => layer.current.focus({ preventScroll: true }), []);
  const pointOf = (event) => {
    const room = event.currentTarget.getBoundingClientRect();
    return [
      clamp((event.clientX - room.left) / room.width, 0, 1) * photo.width,
      clamp((event.clientY - room.top) / room.height, 0, 1) * photo.height,
    ];
  };
  const onPointerDown = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = pointOf(event);
  };
  const onPointerMove = (event) => {
    if (!start.current) return;
    const [x, y] = pointOf(event);
    const [x0, y0] = start.current;
    setBox([Math.min(x, x0), Math.min(y, y0), Math.max(x, x0), Math.max(y, y0)]);
  };
  const onPointerUp = () => {
    start.current = null;
  };
  const onKeyDown = (event) => {
    if (ARROWS[event.key]) setBox(nudged(box, ARROWS[event.key], event.shiftKey, photo));
    else if (event.key === "Enter") onDone();
    else if (event.key === "Escape") onCancel();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`
    <div
      class="draw"
      role="application"
      tabindex="0"
      aria-label="Draw a box around the face: drag, or arrow keys to move it and Shift with arrow keys to size it, then Enter"
      ref=${layer}
      onPointerDown=${onPointerDown}
      onPointerMove=${onPointerMove}
      onPointerUp=${onPointerUp}
      onKeyDown=${onKeyDown}
    >
      <div class="drawn" style=${placeOf(box, photo)} />
    </div>
  `;
};

const FaceBox = ({ face, photo, isSelected, onSelect }) => html`
  <button
    type="button"
    class="box ${isSelected ? "selected" : ""} ${face.box[1] < photo.height * 0.08 ? "under" : ""}"
    style=${placeOf(face.box, photo)}
    aria-pressed=${String(isSelected)}
    aria-label="Face of ${face.label ?? "nobody"}"
    onClick=${() => onSelect(face)}
  >
    <span aria-hidden="true">${face.label ?? "Who is this?"}</span>
  </button>
`;

/** `drawing` is null, or {box, setBox, onDone, onCancel}. */
export const PhotoFrame = ({ photo, faces, selected, onSelect, drawing, src }) => {
  const { thumbnail } = useGallery();
  const [failed, setFailed] = useState(false);
  return html`
    <div class="stage">
      <div
        class="frame ${(selected ?? null) === null && faces.length <= FEW ? "labelled" : ""}"
        style=${{ "--width": photo.width, "--shape": photo.width / photo.height }}
      >
        <img src=${src ?? thumbnail(photo.id, 1600)} alt=${photo.name ?? "The photo"} draggable=${false} onError=${() => setFailed(true)} />
        ${!drawing &&
        faces.map(
          (face) => html`
            <${FaceBox} key=${face.id} face=${face} photo=${photo} isSelected=${face.id === selected} onSelect=${onSelect} />
          `,
        )}
        ${drawing && html`<${DrawLayer} photo=${photo} ...${drawing} />`}
      </div>
      ${failed && html`<p class="notice" role="alert">The photo cannot be shown: it may have been moved or deleted.</p>`}
    </div>
  `;
};
