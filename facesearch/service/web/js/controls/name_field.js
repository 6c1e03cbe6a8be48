// A field for a name that completes the names of people there are (an ARIA combobox).
import { get } from "../api.js";
import { useGallery } from "../gallery.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { count } from "../text.js";
import { FaceCrop, PersonLabel } from "../components/picture.js";

const PAUSE = 80;
const MOST = 6;

let fields = 0;

const isSame = (name, text) => name?.toLocaleLowerCase() === text.toLocaleLowerCase();

/** The people whose names begin with what is typed, or the person of a number such as p12. */
const findPeople = async (path, text) => {
  const named = /^p\d+$/i.test(text) ? null : true;
  return (await get(path("people"), { q: text, named, hidden: "all", limit: MOST })).people;
};

const useCompletion = (text, except) => {
  const { path } = useGallery();
  const [people, setPeople] = useState([]);
  const wanted = text.trim();
  useEffect(() => {
    if (!wanted) return setPeople([]);
    let isLatest = true;
    const timer = setTimeout(async () => {
      const found = await findPeople(path, wanted).catch(() => []);
      if (isLatest) setPeople(found.filter((person) => !except.includes(person.id)));
    }, PAUSE);
    return () => {
      isLatest = false;
      clearTimeout(timer);
    };
  }, [wanted, except.join()]);
  return wanted ? people : [];
};

/**
 * Calls `onPerson(person)` for a person chosen from the list, and `onName(name)` for a name that
 * nobody in the list has; without `onName` only people can be chosen. `except` are not offered.
 */
export const NameField = ({
  label,
  placeholder = "Name",
  initial = "",
  except = [],
  onName = null,
  onPerson,
  onCancel = null,
  isFocused = false,
  isLabelShown = false,
}) => {
  const { path } = useGallery();
  const [text, setText] = useState(initial);
  const [active, setActive] = useState(-1);
  const [isOpen, setOpen] = useState(false);
  const input = useRef(null);
  const id = useRef(null);
  id.current ??= `name-${++fields}`;
  const people = useCompletion(isOpen ? text : "", except);
  const options = isOpen ? people : [];
  // Before the next key can arrive: who types fast would else type into the field before.
  useLayoutEffect(() => {
    if (!isFocused) return;
    input.current.focus({ preventScroll: true });
    input.current.select();
  }, [isFocused]);

  const clear = () => {
    setText("");
    setOpen(false);
    setActive(-1);
  };
  const choose = (person) => {
    clear();
    onPerson(person);
  };
  const enter = async () => {
    const wanted = text.trim().replace(/\s+/g, " ");
    if (options[active]) return choose(options[active]);
    if (!wanted || wanted === initial) return onCancel?.();
    const same = (people) => people.find((person) => isSame(person.name, wanted) || isSame(person.id, wanted));
    if (same(options)) return choose(same(options));
    if (onName) {
      clear();
      return onName(wanted);
    }
    // The list may not be there yet for who types fast, so it is asked for here.
    const found = (await findPeople(path, wanted).catch(() => [])).filter((person) => !except.includes(person.id));
    const only = same(found) ?? (found.length === 1 ? found[0] : null);
    return only ? choose(only) : setOpen(true);
  };
  const onKeyDown = (event) => {
    const last = options.length - 1;
    const acts = {
      ArrowDown: () => (setOpen(true), setActive(active >= last ? -1 : active + 1)),
      ArrowUp: () => setActive(active < 0 ? last : active - 1),
      Enter: enter,
      Escape: () => (options.length ? setOpen(false) : onCancel?.()),
    };
    const act = acts[event.key];
    if (!act || (event.key === "Escape" && !options.length && !onCancel)) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  return html`
    <div class="name-field">
      <label class=${isLabelShown ? "" : "unseen"} for=${id.current}>${label}</label>
      <input
        ref=${input}
        data-focus=${isFocused ? "" : null}
        id=${id.current}
        type="text"
        dir="auto"
        role="combobox"
        autocomplete="off"
        autocapitalize="words"
        spellcheck=${false}
        enterkeyhint="done"
        aria-autocomplete="list"
        aria-expanded=${String(options.length > 0)}
        aria-controls="${id.current}-list"
        aria-activedescendant=${options[active] ? `${id.current}-${active}` : null}
        placeholder=${placeholder}
        value=${text}
        onInput=${(event) => {
          setText(event.target.value);
          setOpen(true);
          setActive(-1);
        }}
        onKeyDown=${onKeyDown}
        onBlur=${() => setOpen(false)}
      />
      <ul id="${id.current}-list" role="listbox" aria-label="People with such a name" hidden=${!options.length}>
        ${options.map(
          (person, index) => html`
            <li
              key=${person.id}
              id="${id.current}-${index}"
              role="option"
              aria-selected=${String(index === active)}
              onPointerDown=${(event) => event.preventDefault()}
              onClick=${() => choose(person)}
            >
              <${FaceCrop} face=${person.cover?.face} />
              <span><${PersonLabel} person=${person} /> <small class="soft">${count(person.photos, "photo")}</small></span>
            </li>
          `,
        )}
      </ul>
    </div>
  `;
};
