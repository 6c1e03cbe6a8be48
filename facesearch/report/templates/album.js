"use strict";
(() => {
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    return element;
  };

  // ---- The viewer: a photo with the face's box drawn ----

  const viewer = find("#viewer");
  const frame = find(".frame");
  const photo = find("#viewer-photo");
  const box = find("#viewer-box");
  const others = find("#viewer-others");
  const failure = find("#viewer-failure");
  const previous = find("#viewer-previous");
  const next = find("#viewer-next");
  const faces = all("a.face");
  const byPhoto = new Map();
  for (const face of faces) {
    const href = face.getAttribute("href");
    byPhoto.set(href, [...(byPhoto.get(href) || []), face]);
  }
  let current = null;
  let opener = null;

  const labelOf = (face) => face.closest("[data-person]").dataset.person;

  // Faces that a search has hidden are passed over; those in a closed "more" are not.
  const sequence = (face) =>
    all("a.face", face.closest("[data-scope]")).filter((other) => !other.closest("[hidden]"));

  // A label must not reach beyond the photo, whose frame would cut it off.
  const keepInside = (label) => {
    label.style.translate = "";
    const { left, right } = label.getBoundingClientRect();
    const edges = frame.getBoundingClientRect();
    const shift = Math.max(edges.left + 4 - left, 0) + Math.min(edges.right - 4 - right, 0);
    label.style.translate = `${shift}px`;
  };

  const place = (element, face) => {
    const [left, top, width, height] = face.dataset.box.split(" ").map(Number);
    element.style.left = `${left}%`;
    element.style.top = `${top}%`;
    element.style.width = `${width}%`;
    element.style.height = `${height}%`;
    // A label above a box at the photo's upper edge would be cut off.
    element.classList.toggle("under", top < 8);
    keepInside(element.firstElementChild);
  };

  const show = (face) => {
    current = face;
    const label = labelOf(face);
    const row = sequence(face);
    const at = row.indexOf(face);
    box.hidden = true;
    others.replaceChildren();
    failure.hidden = true;
    photo.hidden = false;
    photo.alt = `Photo ${face.dataset.file}, with a box around the face of ${label}`;
    photo.src = face.href;
    find("#viewer-label").textContent = label;
    find("#viewer-tag").textContent = label;
    find("#viewer-facts").textContent = [face.dataset.file, face.dataset.time, face.dataset.taken]
      .filter(Boolean)
      .join(" · ");
    find("#viewer-place").textContent = `${at + 1} of ${row.length}`;
    const open = find("#viewer-open");
    open.href = face.dataset.video || face.href;
    open.textContent = face.dataset.video ? "Open video here" : "Open photo";
    // aria-disabled, not disabled: a disabled button would drop the keyboard's focus.
    previous.setAttribute("aria-disabled", String(at <= 0));
    next.setAttribute("aria-disabled", String(at >= row.length - 1));
  };

  const drawBoxes = () => {
    frame.style.setProperty("--width", photo.naturalWidth);
    frame.style.setProperty("--shape", photo.naturalWidth / photo.naturalHeight);
    const [width, height] = current.dataset.size.split(" ").map(Number);
    const shape = photo.naturalWidth / photo.naturalHeight / (width / height);
    if (shape < 0.95 || shape > 1.05) {
      failure.textContent = "This photo has changed since it was indexed, so no box is drawn.";
      failure.hidden = false;
      return;
    }
    box.hidden = false;
    place(box, current);
    for (const face of byPhoto.get(current.getAttribute("href"))) {
      if (face === current) continue;
      const button = make("button", "other", "");
      button.type = "button";
      button.setAttribute("aria-label", `Show ${labelOf(face)} in this photo`);
      button.append(make("span", "", labelOf(face)));
      button.addEventListener("click", () => {
        show(face);
        find("#viewer-close").focus();
      });
      others.append(button);
      place(button, face);
    }
  };

  const step = (by) => {
    const row = sequence(current);
    const face = row[row.indexOf(current) + by];
    if (face) show(face);
  };

  addEventListener("resize", () => all(".frame span").forEach(keepInside));
  photo.addEventListener("load", drawBoxes);
  photo.addEventListener("error", () => {
    photo.hidden = true;
    failure.textContent = `${current.dataset.file} cannot be shown: it may have been moved or deleted.`;
    failure.hidden = false;
  });
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  find("#viewer-close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer || event.target.classList.contains("stage")) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else return;
    event.preventDefault();
  });
  viewer.addEventListener("close", () => {
    photo.removeAttribute("src");
    // Back to the face last looked at, unless it is folded away.
    const target = current.checkVisibility() ? current : opener;
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("click", (event) => {
    const face = event.target.closest("a.face");
    // Modified clicks keep their meaning: open the photo in a new tab or window.
    if (!face || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    opener = face;
    show(face);
    viewer.showModal();
  });

  // ---- A link to a part: unfold it, and arrive there ----

  // Parts that were never on screen have a guessed height, so the first jump may miss its mark.
  const arrive = (target, tries) => {
    target.scrollIntoView();
    if (tries) requestAnimationFrame(() => arrive(target, tries - 1));
  };

  const jump = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    const details = target.closest("details") || find(":scope > details.fold", target);
    if (details) details.open = true;
    arrive(target, 4);
  };
  addEventListener("hashchange", jump);
  document.addEventListener("click", (event) => {
    // The same link again changes no hash.
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) jump();
  });

  // ---- Other pages: what is on them is loaded when somebody first searches ----

  const elsewhere = find("#elsewhere");
  const MOST_ELSEWHERE = 60;
  let index = null;
  let indexNote = "";

  const lower = (text) => text.toLocaleLowerCase();
  const pageFile = (page) => (page === 1 ? "index.html" : `people-${page}.html`);

  const takeIndex = () => {
    const { people, photos } = window.facesearchIndex;
    index = {
      people: people.map(([label, key, named, page, count, crop]) => ({
        label, key, named, page, count, crop,
        // "person-7" is only what the page calls somebody who has no number.
        words: lower(/^p\d+$/.test(key) ? `${label} ${key}` : label),
      })),
      photos: (photos ?? []).map(([name, ...places]) => ({ name, places, words: lower(name) })),
    };
    indexNote = photos ? "" : "There are too many photos to find their names on other pages.";
    search();
  };

  const loadIndex = () => {
    if (!elsewhere || index) return;
    index = { people: [], photos: [] };
    const script = document.createElement("script");
    script.src = elsewhere.dataset.index;
    script.addEventListener("load", takeIndex);
    script.addEventListener("error", () => {
      indexNote = `The other pages cannot be searched here: ${elsewhere.dataset.index} could not be loaded.`;
      search();
    });
    document.head.append(script);
  };

  /** Who is found on other pages, those whom the owner knows first, by which photo if not by name. */
  const foundElsewhere = (wanted) => {
    const here = Number(elsewhere.dataset.page);
    const byPhoto = new Map();
    for (const { name, places, words } of index.photos) {
      if (!words.includes(wanted)) continue;
      for (const place of places) if (!byPhoto.has(place)) byPhoto.set(place, name);
    }
    const found = [];
    index.people.forEach((person, place) => {
      if (person.page === here) return;
      if (person.words.includes(wanted)) found.push({ ...person, photo: null });
      else if (byPhoto.has(place)) found.push({ ...person, photo: byPhoto.get(place) });
    });
    for (const [place, photo] of byPhoto) {
      if (place < 0 && -place !== here) {
        found.push({ label: "Not grouped", key: "noise", named: true, page: -place, crop: "", photo });
      }
    }
    return found;
  };

  const pictureOf = ({ crop }) => {
    if (crop) {
      const image = document.createElement("img");
      Object.assign(image, { src: crop, alt: "", width: 160, height: 160, loading: "lazy" });
      return image;
    }
    const blank = find("#nobody").ownerSVGElement.cloneNode(false);
    const use = document.createElementNS(blank.namespaceURI, "use");
    use.setAttribute("href", "#nobody");
    blank.setAttribute("class", "blank");
    blank.append(use);
    return blank;
  };

  const linkTo = (person, wanted) => {
    const link = make("a", "who", "");
    // A photo is found there by the same search; a person by the place on the page.
    const asked = person.photo === null ? "" : `?q=${encodeURIComponent(wanted)}`;
    link.href = `${pageFile(person.page)}${asked}#${person.key}`;
    const words = make("span", "", "");
    words.append(make("bdi", person.named ? "" : "unnamed", person.label), " ");
    words.append(make("small", "", person.photo ?? (person.count === 1 ? "1 photo" : `${person.count} photos`)));
    link.append(pictureOf(person), words);
    const item = document.createElement("li");
    item.append(link);
    return item;
  };

  const searchElsewhere = (wanted) => {
    if (!elsewhere) return;
    const found = wanted ? foundElsewhere(wanted) : [];
    const more = found.length - MOST_ELSEWHERE;
    const note = more > 0 ? `The first ${MOST_ELSEWHERE} are shown; more letters find fewer.` : indexNote;
    find(".tally", elsewhere).textContent = found.length.toLocaleString("en");
    find("p", elsewhere).textContent = note;
    find("ul", elsewhere).replaceChildren(...found.slice(0, MOST_ELSEWHERE).map((person) => linkTo(person, wanted)));
    elsewhere.hidden = !wanted || !(found.length || note);
  };

  // ---- The search box ----

  const query = find("#query");
  const found = find("#found");
  const people = all("[data-person]").map((element) => ({
    element,
    label: `${element.dataset.person} ${element.dataset.number ?? ""}`.toLocaleLowerCase(),
    faces: all("a.face", element).map((face) => ({
      item: face.closest("li, .cover"),
      file: face.dataset.file.toLocaleLowerCase(),
    })),
  }));
  const folds = all("[data-section] details");
  let openBefore = null;

  const filterPerson = ({ element, label, faces: own }, wanted) => {
    const named = label.includes(wanted);
    let matches = 0;
    for (const { item, file } of own) {
      const match = named || file.includes(wanted);
      // The cover stays with its person even where only other faces match.
      if (item !== element && !item.classList.contains("cover")) item.hidden = !match;
      matches += match;
    }
    element.hidden = matches === 0;
    return matches;
  };

  const search = () => {
    const wanted = lower(query.value.trim());
    let matches = 0;
    let shown = 0;
    for (const person of people) {
      const here = filterPerson(person, wanted);
      matches += here;
      shown += here > 0;
    }
    for (const section of all("[data-section]")) {
      section.hidden = !all("[data-person]", section).some((element) => !element.hidden);
    }
    if (wanted && !openBefore) openBefore = new Set(folds.filter((fold) => fold.open));
    for (const fold of folds) {
      fold.hidden = false;
      const hit = all("a.face", fold).some((face) => !face.closest("[hidden]"));
      if (wanted) {
        fold.open = hit;
        fold.hidden = !hit;
      } else if (openBefore) {
        fold.open = openBefore.has(fold);
      }
    }
    if (!wanted) openBefore = null;
    document.body.classList.toggle("searching", Boolean(wanted));
    const groups = shown === 1 ? "1 group" : `${shown.toLocaleString("en")} groups`;
    const count = matches === 1 ? "1 face" : `${matches.toLocaleString("en")} faces`;
    const where = elsewhere ? " on this page" : "";
    found.textContent = !wanted ? "" : (matches ? `${count} in ${groups}` : "Nothing found") + where;
    if (wanted) loadIndex();
    searchElsewhere(wanted);
  };

  let waiting = 0;
  query.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 120);
  });
  query.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      query.value = "";
      search();
    }
  });
  find(".search").hidden = false;
  document.documentElement.classList.add("scripted");
  // A search on another page led here.
  query.value = new URLSearchParams(location.search).get("q") ?? "";
  if (query.value) search();
  jump();
})();
