// A grid of any length: only the rows near the screen are in the page, and keys move in it.
import { Loading } from "../controls/states.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";

const GAP = 12;
const ROWS_AROUND = 3;
// The bar covers so much of the window's upper edge.
const BAR = 90;
// Browsers end pages somewhere beyond. Longer lists are scrolled faster than their room.
const HIGHEST = 10_000_000;

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

// On a phone, cells may be smaller by this factor.
const PHONE = { width: 500, factor: 0.8 };

/** How many columns of at least `minimum` pixels fit, and how wide they get. */
const columnsOf = (width, minimum) => {
  const least = width < PHONE.width ? minimum * PHONE.factor : minimum;
  const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  return { columns, size: (width - GAP * (columns - 1)) / columns };
};

/** How much of a list `height` high is above the window, of whose room `above` is. */
const listAbove = (above, height) => {
  const room = Math.min(height, HIGHEST);
  if (room === height || above <= 0) return above;
  const reach = room - innerHeight;
  return above < reach ? (above * (height - innerHeight)) / reach : above + height - room;
};

/** The other way round: how much of the room is above the window then. */
const roomAbove = (above, height) => {
  const room = Math.min(height, HIGHEST);
  if (room === height || above <= 0) return above;
  return (Math.min(above, height - innerHeight) * (room - innerHeight)) / (height - innerHeight);
};

/** Which rows are in the page, and where: of `rows`, `rowHeight` high, of whose room `above` is above the window. */
const placeOf = (above, rowHeight, rows) => {
  const gone = listAbove(above, rows * rowHeight);
  const first = clamp(Math.floor(gone / rowHeight) - ROWS_AROUND, 0, Math.max(0, rows - 1));
  const last = clamp(Math.ceil((gone + innerHeight) / rowHeight) + ROWS_AROUND, 0, rows);
  return { first, last, offset: first * rowHeight + above - gone };
};

const isSame = (one, other) => Object.keys(other).every((key) => one[key] === other[key]);

const useRows = (element, total, minimum, ratio, caption) => {
  const [shape, setShape] = useState({ columns: 1, rowHeight: minimum, first: 0, last: 0, offset: 0 });
  const measured = () => {
    const { width, top } = element.current.getBoundingClientRect();
    const { columns, size } = columnsOf(width, minimum);
    const rowHeight = size * ratio + caption + GAP;
    return { columns, rowHeight, top, ...placeOf(-top, rowHeight, Math.ceil(total / columns)) };
  };
  const measure = () => {
    const { top, ...next } = measured();
    keepFocus(element.current.firstElementChild, next);
    setShape((before) => (isSame(before, next) ? before : next));
  };
  /** Scroll until the row of an item is in the window. */
  const reach = (index) => {
    const { columns, rowHeight, top } = measured();
    const height = Math.ceil(total / columns) * rowHeight;
    const place = Math.floor(index / columns) * rowHeight;
    const onScreen = place - listAbove(-top, height);
    if (onScreen >= BAR && onScreen + rowHeight <= innerHeight) return;
    scrollBy(0, roomAbove(place - innerHeight / 2, height) + top);
    // At once: the next key is for what is there then.
    measure();
  };
  useLayoutEffect(() => {
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element.current);
    addEventListener("scroll", measure, { passive: true });
    addEventListener("resize", measure);
    return () => {
      observer.disconnect();
      removeEventListener("scroll", measure);
      removeEventListener("resize", measure);
    };
  }, [total, minimum, caption]);
  return [shape, reach];
};

/** A cell that leaves the page must not take the focus with it: the list has it then, and its keys go on. */
const keepFocus = (list, { first, last, columns }) => {
  const cell = document.activeElement?.closest("[data-index]");
  if (!cell || !list.contains(cell)) return;
  const index = Number(cell.dataset.index);
  if (index < first * columns || index >= last * columns) list.focus({ preventScroll: true });
};

/**
 * The element of a cell, as made before if it is the same: scrolling makes those of new rows only.
 * The function that makes them is another whenever what they show beside their item has changed.
 */
const useCells = (cell) => {
  const kept = useRef({ cell, elements: new Map() });
  const before = kept.current.cell === cell ? kept.current.elements : new Map();
  const elements = new Map();
  kept.current = { cell, elements };
  return (item, place) => {
    const known = before.get(place.index);
    const isKnown = known?.item === item && isSame(known.place, place);
    const element = isKnown ? known.element : cell(item, place);
    elements.set(place.index, { item, place, element });
    return element;
  };
};

/**
 * A list shown as a grid. `list` is of useLongList. Cells are at least `minimum` pixels wide, and
 * `caption` pixels higher than `ratio` times their width. `cell(item, {index, tabIndex, isAtEnd})`
 * is one, at the end of its row or not; its element with `data-cell` gets the focus. Arrow keys, Page Up and Down, Home and End move
 * between cells; other keys go to `onKey(event, item, index)`. The item at `revealed` is scrolled to.
 */
export const Grid = ({ label, list, minimum, caption = 0, ratio = 1, cell, keyOf, onKey, revealed = null }) => {
  const element = useRef(null);
  const [active, setActive] = useState(0);
  const isMoving = useRef(false);
  const total = list.total ?? 0;
  const [{ columns, rowHeight, first, last, offset }, reach] = useRows(element, total, minimum, ratio, caption);
  const begin = first * columns;
  const end = Math.min(last * columns, total);

  useEffect(() => {
    // As much again on either side, so that it is there for who scrolls on.
    if (end > begin) list.need(Math.max(0, 2 * begin - end), Math.min(2 * end - begin, total));
  });
  useLayoutEffect(() => {
    if (revealed !== null) reach(revealed);
  }, [revealed]);
  // Before the next key can arrive, which is for the cell that has the focus then.
  useLayoutEffect(() => {
    if (!isMoving.current) return;
    const target = element.current.querySelector(`[data-index="${active}"] [data-cell]`);
    if (!target) return;
    isMoving.current = false;
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest" });
  });

  const moveTo = (index) => {
    isMoving.current = true;
    setActive(index);
    reach(index);
  };
  const onKeyDown = (event) => {
    if (event.target.tagName === "INPUT" && event.target.type !== "checkbox") return;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const index = Number(event.target.closest("[data-index]")?.dataset.index ?? active);
    const screen = columns * Math.max(1, Math.floor((innerHeight - BAR) / rowHeight));
    const targets = {
      ArrowLeft: index - 1,
      ArrowRight: index + 1,
      ArrowUp: index - columns,
      ArrowDown: index + columns,
      PageUp: Math.max(0, index - screen),
      PageDown: Math.min(total - 1, index + screen),
      Home: 0,
      End: total - 1,
    };
    const target = targets[event.key];
    if (target !== undefined) {
      event.preventDefault();
      if (target >= 0 && target < total) moveTo(target);
    } else if (list.at(index)) onKey?.(event, list.at(index), index);
  };
  const onFocusIn = (index) => {
    isMoving.current = false;
    if (active !== index) setActive(index);
  };

  const cellOf = useCells(cell);
  // One cell can always be reached by Tab: the active one, or the first in the page.
  const reachable = active >= begin && active < end ? active : begin;
  const indices = Array.from({ length: Math.max(0, end - begin) }, (_, place) => begin + place);
  return html`
    ${list.total === null && !list.error && html`<${Loading} />`}
    <div class="grid-room" ref=${element} style=${{ height: `${Math.min(Math.ceil(total / columns) * rowHeight, HIGHEST)}px` }}>
      <ul
        class="grid"
        tabindex="-1"
        aria-label=${label}
        style=${{ transform: `translateY(${offset}px)`, gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gridAutoRows: `${rowHeight - GAP}px` }}
        onKeyDown=${onKeyDown}
      >
        ${indices.map((index) => {
          const item = list.at(index);
          return html`
            <li
              key=${item ? keyOf(item) : `at ${index}`}
              data-index=${index}
              aria-setsize=${total}
              aria-posinset=${index + 1}
              onFocusIn=${() => onFocusIn(index)}
            >
              ${item ? cellOf(item, { index, tabIndex: index === reachable ? 0 : -1, isAtEnd: index % columns === columns - 1 }) : html`<span class="placeholder" />`}
            </li>
          `;
        })}
      </ul>
    </div>
  `;
};
