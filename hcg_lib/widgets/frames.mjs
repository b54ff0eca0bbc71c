// Pictures drawn beforehand, one shown at a time: drag through training steps, sizes, noise.
import { make, slider, stage } from "./stage.mjs";

function render({ model, el }) {
  const [frames, labels, descriptions, texts] = ["frames", "labels", "descriptions", "texts"].map((name) => model.get(name));
  const { root, say, status, id } = stage(el, "frames", model.get("title"));
  const control = slider({
    id, label: model.get("title"), max: frames.length - 1, value: model.get("index"), play: "Play", beat: 700,
    text: (i) => labels[i], move: (i) => { model.set("index", i); model.save_changes(); say(descriptions[i]); },
  });
  const picture = make("img", { class: "hcg-frame" });
  const passages = texts.length ? make("div", { class: "hcg-passages hcg-scroll", tabindex: 0, role: "region", "aria-label": "text" }) : null;
  root.append(...[make("div", { class: "hcg-bar" }, control.node), picture, passages, status].filter(Boolean));

  function paint() {
    const i = model.get("index");
    control.set(i);
    picture.src = `data:image/png;base64,${frames[i]}`;
    picture.alt = descriptions[i];
    passages?.replaceChildren(...texts[i].map((text) => make("blockquote", {}, text)));
  }
  paint();
  model.on("change:index", paint);
  return () => { control.stop(); model.off("change:index", paint); };
}

export default { render };
