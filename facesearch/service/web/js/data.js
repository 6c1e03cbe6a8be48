// What the service knows, as state of a component; loaded again after every decision.
import { get } from "./api.js";
import { useEffect, useRef, useState } from "./html.js";

const changes = new EventTarget();
const PAGE = 200;

// What was shown last, so that who goes back sees it at once, while it is loaded again.
const MOST_KEPT = 40;
const kept = new Map();

const keep = (address, value) => {
  kept.delete(address);
  kept.set(address, value);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  return value;
};

/** Tell all views that people or photos changed, so that they load again. */
export const announceChange = () => changes.dispatchEvent(new Event("change"));

/** Call `listener` after every change while the component is shown. */
const useChanges = (listener) => {
  const current = useRef(listener);
  current.current = listener;
  useEffect(() => {
    const call = () => current.current();
    changes.addEventListener("change", call);
    return () => changes.removeEventListener("change", call);
  }, []);
};

/**
 * One resource: {data, error, reload, set}. `data` is null until it is there, and stays while it is
 * loaded again. A null path loads nothing.
 */
export const useResource = (path, params = {}) => {
  const address = path === null ? null : `${path}?${JSON.stringify(params)}`;
  const [state, setState] = useState({ address: null, data: null, error: null });
  const latest = useRef(0);
  const reload = async () => {
    const turn = ++latest.current;
    if (path === null) return;
    try {
      const data = await get(path, params);
      keep(address, data);
      if (turn === latest.current) setState({ address, data, error: null });
    } catch (error) {
      if (turn === latest.current) setState({ address, data: null, error });
    }
  };
  useEffect(() => {
    reload();
    return () => void latest.current++;
  }, [address]);
  useChanges(reload);
  const isCurrent = state.address === address;
  return {
    data: isCurrent ? state.data : (kept.get(address) ?? null),
    error: isCurrent ? state.error : null,
    reload,
    set: (data) => setState({ address, data, error: null }),
  };
};

/** A long list that is loaded page by page, as far as somebody has looked. */
class PagedList {
  constructor(path, key, params, wanted = 0) {
    Object.assign(this, { path, key, params, wanted });
    this.items = [];
    this.total = null;
    this.cursor = null;
    this.isComplete = false;
    this.loading = null;
  }

  /** Load until the item at `wanted` is there, calling `onPage` after each page. */
  load(wanted, onPage) {
    this.wanted = Math.max(this.wanted, wanted);
    this.loading ??= this.#loadPages(onPage).finally(() => {
      this.loading = null;
    });
    return this.loading;
  }

  async #loadPages(onPage) {
    while (!this.isComplete && this.items.length <= this.wanted) {
      const page = await get(this.path, { ...this.params, limit: PAGE, cursor: this.cursor });
      this.items.push(...page[this.key]);
      this.cursor = page.next;
      this.isComplete = !page.next;
      this.total = page.total ?? this.items.length;
      onPage();
    }
  }
}

/**
 * A list of any length, which answers have under `key`: {items, total, isMore, error, need, reload}.
 * `items` has what is loaded so far, `total` is null until the first page is there, and
 * `need(index)` loads up to an item.
 */
export const usePages = (path, key, params = {}) => {
  const address = `${path}?${JSON.stringify(params)}`;
  const list = useRef(null);
  const [, setTurn] = useState(0);
  const show = () => setTurn((turn) => turn + 1);
  const begin = (fresh) => {
    const reach = fresh ? 0 : Math.max(0, list.current.items.length - 1);
    const attempt = new PagedList(path, key, params, reach);
    attempt.address = address;
    if (fresh) list.current = attempt;
    attempt.load(0, () => list.current === attempt && show()).then(
      () => {
        // The list before stays until the new one reaches as far.
        if (list.current.address === address) list.current = attempt;
        show();
      },
      (error) => {
        attempt.error = error;
        if (list.current.address === address) list.current = attempt;
        show();
      },
    );
  };
  if (list.current?.address !== address) {
    list.current = kept.get(`${key} of ${address}`) ?? null;
    begin(!list.current);
  }
  useChanges(() => begin(false));
  const shown = list.current;
  if (shown.total !== null) keep(`${key} of ${address}`, shown);
  return {
    items: shown.items,
    total: shown.total,
    isMore: shown.items.length > 0 && !shown.isComplete,
    error: shown.error ?? null,
    reload: () => begin(false),
    need: (index) => {
      if (index < shown.items.length || shown.isComplete || shown.error) return;
      shown.load(index, show).catch((error) => {
        shown.error = error;
        show();
      });
    },
  };
};
