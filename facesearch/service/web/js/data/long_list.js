// A list of any length, of which only the pages that somebody looks at are loaded.
import { get } from "../api.js";
import { useRef, useState } from "../html.js";
import { isUnchanged, keep, markNow, recall, useChanges } from "./changes.js";

const PAGE = 200;
// Of one list; those farthest from what is looked at go first.
const MOST_PAGES = 25;
const AT_ONCE = 2;

const pageOf = (index) => Math.floor(index / PAGE);

class LongList {
  constructor(path, key, params) {
    Object.assign(this, { path, key, params, total: null, error: null, wanted: [0, 1], mark: markNow() });
    this.pages = new Map();
    this.loading = new Map();
  }

  /** Whether what is loaded is so still. */
  isCurrent() {
    return this.total !== null && !this.error && isUnchanged(this.mark);
  }

  /** The item at a place; undefined where it is not loaded. */
  at(index) {
    return this.pages.get(pageOf(index))?.[index % PAGE];
  }

  /** All items from the first on, as far as they are loaded without a gap. */
  beginning() {
    const items = [];
    for (let number = 0; this.pages.has(number); number++) items.push(...this.pages.get(number));
    return items;
  }

  /**
   * Load what is missing from `begin` to `end`, calling `onPage` after each page. Few are loaded at
   * once: what nobody looks at any more by the time it would be its turn is left out.
   */
  need(begin, end, onPage) {
    this.wanted = [begin, end];
    if (this.error) return;
    for (const number of this.#missing().slice(0, Math.max(0, AT_ONCE - this.loading.size))) {
      this.#page(number)
        .catch((error) => {
          this.error = error;
        })
        .then(() => {
          onPage();
          this.need(...this.wanted, onPage);
        });
    }
  }

  /** The items from `begin` to `end`, all of which are loaded. */
  async between(begin, end) {
    const items = [];
    for (let number = pageOf(begin); number <= pageOf(end - 1); number++) items.push(...(await this.#page(number)));
    return items.slice(begin % PAGE, (begin % PAGE) + end - begin);
  }

  #missing() {
    const [begin, end] = this.wanted;
    const missing = [];
    for (let number = pageOf(begin); number <= pageOf(Math.min(end, this.total ?? end) - 1); number++) {
      if (!this.pages.has(number) && !this.loading.has(number)) missing.push(number);
    }
    return missing;
  }

  #page(number) {
    if (this.pages.has(number)) return Promise.resolve(this.pages.get(number));
    if (!this.loading.has(number)) {
      this.loading.set(number, this.#fetch(number).finally(() => this.loading.delete(number)));
    }
    return this.loading.get(number);
  }

  async #fetch(number) {
    const answer = await get(this.path, { ...this.params, limit: PAGE, start: number * PAGE || null });
    this.total = answer.total;
    this.pages.set(number, answer[this.key]);
    if (this.pages.size > MOST_PAGES) this.#dropFarthest(number);
    return answer[this.key];
  }

  /** Drop the page farthest from what is looked at, if it is none of that, nor the one just loaded. */
  #dropFarthest(loaded) {
    const [first, last] = [pageOf(this.wanted[0]), pageOf(this.wanted[1] - 1)];
    const distance = (number) => (number === loaded ? 0 : Math.max(first - number, number - last, 0));
    const farthest = [...this.pages.keys()].reduce((one, other) => (distance(other) > distance(one) ? other : one));
    if (distance(farthest) > 0) this.pages.delete(farthest);
  }
}

/**
 * A list of any length, which answers have under `key`: {total, error, at, need, between,
 * beginning}. `total` is null until the first page is there. `at(index)` is an item, undefined until
 * `need(begin, end)` has loaded it; `between(begin, end)` promises items.
 */
export const useLongList = (path, key, params = {}) => {
  const name = `${key} of ${path}?${JSON.stringify(params)}`;
  const list = useRef(null);
  const latest = useRef(0);
  const [, setTurn] = useState(0);
  const show = () => setTurn((turn) => turn + 1);
  const load = (fresh) => {
    const turn = ++latest.current;
    fresh.wanted = list.current?.wanted ?? fresh.wanted;
    fresh
      .between(...fresh.wanted)
      .catch((error) => {
        fresh.error = error;
      })
      .then(() => {
        if (turn !== latest.current) return;
        // The list before stayed until the new one has what is looked at.
        list.current = fresh;
        show();
      });
  };
  const begun = () => Object.assign(new LongList(path, key, params), { name });
  if (list.current?.name !== name) {
    list.current = recall(name);
    // From photo to photo of a list it is not read again at each.
    const fresh = list.current?.isCurrent() ? null : begun();
    if (fresh) load(fresh);
    else latest.current++; // what is still on its way is of another list
    list.current ??= fresh;
  }
  useChanges(() => load(begun()));
  const shown = list.current;
  if (shown.total !== null) keep(name, shown);
  return {
    total: shown.total,
    error: shown.error,
    at: (index) => shown.at(index),
    need: (begin, end) => shown.need(begin, end, show),
    between: (begin, end) => shown.between(begin, end),
    beginning: () => shown.beginning(),
  };
};

/** The first items of a list, and on demand more of them: {items, total, error, isMore, showMore}. */
export const useBeginning = (path, key, params = {}) => {
  const list = useLongList(path, key, params);
  const items = list.beginning();
  return {
    items,
    total: list.total,
    error: list.error,
    isMore: list.total !== null && items.length < list.total,
    showMore: () => list.need(0, items.length + PAGE),
  };
};
