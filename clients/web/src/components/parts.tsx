/** Small parts that pages are made of. */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

/** The heading of a step or an outcome; it takes the focus when it appears. */
export function FocusHeading({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <h2 ref={heading} tabIndex={-1}>
      {children}
    </h2>
  );
}

/** A place to drop files on, which is also a button that chooses them. */
export function FilePicker(props: {
  readonly title: string;
  readonly button: string;
  readonly hint?: string;
  readonly accept?: string;
  readonly several?: boolean;
  readonly onFiles: (files: readonly File[]) => void;
}): JSX.Element {
  const { title, button, hint, accept, several = false, onFiles } = props;
  const area = useRef<HTMLDivElement>(null);
  const id = useId();
  const over = (isOver: boolean) => (event: DragEvent) => {
    event.preventDefault();
    area.current?.classList.toggle("over", isOver);
  };
  return (
    <div
      class="drop"
      ref={area}
      onDragOver={over(true)}
      onDragLeave={over(false)}
      onDrop={(event) => {
        over(false)(event);
        onFiles([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <p class="drop-title" aria-hidden="true">
        {title}
      </p>
      <input
        id={id}
        class="file"
        type="file"
        accept={accept}
        multiple={several}
        aria-describedby={hint && `${id}-hint`}
        onChange={({ currentTarget }) => {
          onFiles([...(currentTarget.files ?? [])]);
          currentTarget.value = ""; // the same file can be chosen again
        }}
      />
      <label for={id} class="button">
        {button}
      </label>
      {hint && (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
    </div>
  );
}

/** A label, a field, and what is wrong with it. */
export function Field(props: {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly wrong?: string | undefined;
  readonly children: (attributes: {
    id: string;
    "aria-describedby": string | undefined;
    "aria-invalid": boolean;
  }) => JSX.Element;
}): JSX.Element {
  const { label, hint, wrong, children } = props;
  const id = useId();
  const described = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {hint && (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
      {children({
        id,
        "aria-describedby": described || undefined,
        "aria-invalid": wrong !== undefined,
      })}
      {wrong && (
        <p id={`${id}-wrong`} class="wrong">
          {wrong}
        </p>
      )}
    </div>
  );
}

export function Button(props: {
  readonly children: ComponentChildren;
  readonly onClick?: () => void;
  readonly kind?: "main" | "plain" | "danger";
  readonly disabled?: boolean;
  readonly submit?: boolean;
  readonly label?: string;
}): JSX.Element {
  const { children, onClick, kind = "plain", disabled = false, submit = false, label } = props;
  return (
    <button
      type={submit ? "submit" : "button"}
      class={`button ${kind}`}
      disabled={disabled}
      aria-label={label}
      onClick={() => onClick?.()}
    >
      {children}
    </button>
  );
}

/** Something that went wrong, said at once. */
export const Alert = ({ children }: { readonly children: ComponentChildren }): JSX.Element => (
  <p class="alert" role="alert">
    {children}
  </p>
);

/** More to read, for who wants to. */
export function More(props: {
  readonly title: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <details>
      <summary>{props.title}</summary>
      <div class="more">{props.children}</div>
    </details>
  );
}

export const List = ({ items }: { readonly items: readonly string[] }): JSX.Element => (
  <ul class="sentences">
    {items.map((item) => (
      <li key={item}>{item}</li>
    ))}
  </ul>
);
