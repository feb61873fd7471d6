/** First step: photographs, and their fingerprints. */

import type { JSX } from "preact";
import { reasonOf } from "../../app/reasons";
import { Button, FilePicker, List, More } from "../../components/parts";
import { useTexts } from "../../i18n";
import type { Photo, Photos } from "./photos";

const ACCEPT = "image/jpeg,image/png,image/webp,image/avif,image/gif";

export function Choose(props: {
  readonly photos: Photos;
  readonly wrong: string | null;
  readonly onAdd: (files: readonly File[]) => void;
  readonly onRemove: (photo: Photo) => void;
  readonly onNext: () => void;
}): JSX.Element {
  const { t } = useTexts();
  const { photos, wrong, onAdd, onRemove, onNext } = props;
  const { protect } = t;
  return (
    <>
      <FilePicker
        title={protect.drop}
        button={photos.length > 0 ? protect.more : protect.orChoose}
        hint={protect.formats}
        accept={ACCEPT}
        several
        onFiles={onAdd}
      />
      {photos.length > 0 && (
        <ul class="photos" aria-label={protect.chosen}>
          {photos.map((photo) => (
            <ChosenPhoto key={photo.number} photo={photo} onRemove={onRemove} />
          ))}
        </ul>
      )}
      <div aria-live="polite">{wrong !== null && <p class="alert">{wrong}</p>}</div>
      {photos.length > 0 && (
        <p class="buttons">
          <Button kind="main" onClick={onNext}>
            {t.next}
          </Button>
        </p>
      )}
      <More title={protect.weakerTitle}>
        <List items={protect.weaker} />
      </More>
      <More title={protect.boundsTitle}>
        <List items={protect.bounds} />
      </More>
    </>
  );
}

function ChosenPhoto(props: {
  readonly photo: Photo;
  readonly onRemove: (photo: Photo) => void;
}): JSX.Element {
  const texts = useTexts();
  const { photo, onRemove } = props;
  const { protect } = texts.t;
  return (
    <li class="photo">
      <Thumbnail photo={photo} />
      <div>
        <p class="photo-name">{photo.file.name}</p>
        <p class={photo.error === null ? "hint" : "wrong"} role="status">
          {told()}
        </p>
      </div>
      <Button onClick={() => onRemove(photo)} label={texts.fill(protect.remove, nameOf(photo))}>
        <span aria-hidden="true">×</span>
      </Button>
    </li>
  );

  function told(): string {
    const { made, error } = photo;
    if (error !== null) return texts.fill(protect.failed, { reason: reasonOf(texts, error) });
    if (made === null) return protect.computing;
    return made.fingerprints.has("pdq-1") ? protect.ready : protect.onlyFile;
  }
}

const nameOf = ({ file }: Photo): { name: string } => ({ name: file.name });

/** A small view of the photograph, from this device's own copy. */
export function Thumbnail({ photo }: { readonly photo: Photo }): JSX.Element {
  return photo.made === null ? (
    <span class="thumbnail" />
  ) : (
    <img class="thumbnail" src={photo.address} alt="" decoding="async" />
  );
}
