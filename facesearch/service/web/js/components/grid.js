// A grid of any length: only the rows near the screen are in the page, and arrow keys move in it.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";

const GAP = 12;
const ROWS_AROUND = 3;

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

// On a phone, cells may be smaller by this factor.
const PHONE = { width: 500, factor: 0.8 };

/** How many columns of at least `minimum` pixels fit, and how wide they get. */
const columnsOf = (width, minimum) => {
  const least = width < PHONE.width ? minimum * PHONE.factor : minimum;
  const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  return { columns, size: (width - GAP * (columns - 1)) / columns };
};

/** The rows near the screen, of a grid whose upper edge is at `top` in the window. */
const rowsOnScreen = (top, rowHeight, rows) => {
  const first = Math.floor(-top / rowHeight) - ROWS_AROUND;
  const last = Math.ceil((innerHeight - top) / rowHeight) + ROWS_AROUND;
  return [clamp(first, 0, Math.max(0, rows - 1)), clamp(last, 0, rows)];
};

const useWindow = (element, total, minimum, ratio, caption) => {
  const [shape, setShape] = useState({ columns: 1, rowHeight: minimum, first: 0, last: 0 });
  const measure = () => {
    const { width, top } = element.current.getBoundingClientRect();
    const { columns, size } = columnsOf(width, minimum);
    const rowHeight = size * ratio + caption + GAP;
    const [first, last] = rowsOnScreen(top, rowHeight, Math.ceil(total / columns));
    setShape((before) =>
      before.columns === columns && before.rowHeight === rowHeight && before.first === first && before.last === last
        ? before
        : { columns, rowHeight, first, last },
    );
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
  return shape;
};

/**
 * A list shown as a grid. `list` is of usePages. Cells are at least `minimum` pixels wide, and
 * `caption` pixels higher than `ratio` times their width. `cell(item, {index, tabIndex})` is one;
 * its element with `data-cell` gets the focus. Left, right, up, down, Home and End move between
 * cells; other keys go to `onKey(event, item, index)`.
 */
export const Grid = ({ label, list, minimum, caption = 0, ratio = 1, cell, keyOf, onKey, className = "" }) => {
  const element = useRef(null);
  const [active, setActive] = useState(0);
  const isMoving = useRef(false);
  const total = list.total ?? 0;
  const { columns, rowHeight, first, last } = useWindow(element, total, minimum, ratio, caption);
  const begin = first * columns;
  const end = Math.min(last * columns, total);

  useEffect(() => {
    if (end) list.need(end - 1);
  }, [end, list.items.length]);
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
    const wanted = clamp(index, 0, total - 1);
    isMoving.current = true;
    setActive(wanted);
    list.need(wanted);
    const top = element.current.getBoundingClientRect().top + Math.floor(wanted / columns) * rowHeight;
    if (top < 90 || top + rowHeight > innerHeight) scrollBy(0, top - innerHeight / 2);
  };
  const onKeyDown = (event) => {
    if (event.target.tagName === "INPUT" && event.target.type !== "checkbox") return;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const index = Number(event.target.closest("[data-index]")?.dataset.index ?? active);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const target = { Home: 0, End: total - 1 }[event.key] ?? index + steps[event.key];
    if (!Number.isNaN(target)) {
      event.preventDefault();
      if (target >= 0 && target < total) moveTo(target);
    } else if (list.items[index]) onKey?.(event, list.items[index], index);
  };

  // One cell can always be reached by Tab: the active one, or the first in the page.
  const reachable = active >= begin && active < end ? active : begin;
  const indices = Array.from({ length: Math.max(0, end - begin) }, (_, offset) => begin + offset);
  return html`
    <div class="grid-room" ref=${element} style=${{ height: `${Math.ceil(total / columns) * rowHeight}px` }}>
      <ul
        class="grid ${className}"
        aria-label=${label}
        style=${{ transform: `translateY(${first * rowHeight}px)`, gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gridAutoRows: `${rowHeight - GAP}px` }}
        onKeyDown=${onKeyDown}
      >
        ${indices.map((index) => {
          const item = list.items[index];
          return html`
            <li
              key=${item ? keyOf(item) : index}
              data-index=${index}
              aria-setsize=${total}
              aria-posinset=${index + 1}
              onFocusIn=${() => active !== index && setActive(index)}
            >
              ${item ? cell(item, { index, tabIndex: index === reachable ? 0 : -1 }) : html`<span class="placeholder" />`}
            </li>
          `;
        })}
      </ul>
    </div>
  `;
};
