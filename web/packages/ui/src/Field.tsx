import { Check, ChevronDown, CircleAlert } from "lucide-react";
import type { JSX, ReactNode, Ref } from "react";
import {
  Button as AriaButton,
  Select as AriaSelect,
  TextField as AriaTextField,
  type TextFieldProps as AriaTextFieldProps,
  FieldError,
  Input,
  type InputProps,
  type Key,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Radio,
  RadioGroup,
  SelectValue,
  Text,
} from "react-aria-components";
import { classes } from "./classes";
import styles from "./Field.module.css";
import menu from "./Menu.module.css";

const c = classes(styles);
const m = classes(menu);

export interface TextFieldProps
  extends Omit<
    AriaTextFieldProps,
    "className" | "style" | "children" | "isInvalid" | "enterKeyHint"
  > {
  readonly label: string;
  readonly hint?: ReactNode;
  /** What is wrong and what to do; the field counts as invalid while it is there. */
  readonly error?: string | undefined;
  readonly placeholder?: string;
  readonly enterKeyHint?: InputProps["enterKeyHint"];
  readonly inputRef?: Ref<HTMLInputElement>;
}

/** One line of text with its label above and its error below. */
export function TextField({
  label,
  hint,
  error,
  placeholder,
  enterKeyHint,
  inputRef,
  ...props
}: TextFieldProps): JSX.Element {
  return (
    <AriaTextField
      {...props}
      validationBehavior="aria"
      isInvalid={error !== undefined}
      className={c("field")}
    >
      <Label className={c("label")}>{label}</Label>
      <Input
        className={c("box")}
        {...(placeholder === undefined ? {} : { placeholder })}
        {...(enterKeyHint === undefined ? {} : { enterKeyHint })}
        {...(inputRef === undefined ? {} : { ref: inputRef })}
      />
      {hint === undefined ? null : (
        <Text slot="description" className={c("hint")}>
          {hint}
        </Text>
      )}
      <FieldError className={c("error")}>
        <CircleAlert size={18} aria-hidden />
        <span>{error}</span>
      </FieldError>
    </AriaTextField>
  );
}

export interface Choice {
  readonly id: string;
  readonly text: string;
  /** BCP 47 tag of the text, where it is not in the interface's language. */
  readonly lang?: string;
}

export interface SelectProps {
  readonly label: string;
  readonly icon?: ReactNode;
  readonly choices: readonly Choice[];
  readonly selected: string | undefined;
  readonly onSelect: (id: string) => void;
  readonly placeholder: string;
  readonly isDisabled?: boolean;
}

/** One of several, from a list that opens. */
export function Select({
  label,
  icon,
  choices,
  selected,
  onSelect,
  placeholder,
  isDisabled = false,
}: SelectProps): JSX.Element {
  return (
    <AriaSelect
      className={c("field")}
      value={selected ?? null}
      onChange={(key: Key | null) => {
        if (key !== null) onSelect(String(key));
      }}
      placeholder={placeholder}
      isDisabled={isDisabled}
    >
      <Label className={c("label")}>
        {icon}
        {label}
      </Label>
      <AriaButton className={c("box", "select")}>
        <SelectValue className={c("value")}>
          {({ selectedText, isPlaceholder }) => (isPlaceholder ? placeholder : selectedText)}
        </SelectValue>
        <ChevronDown size={18} aria-hidden />
      </AriaButton>
      <Popover className={`${m("popover")} ${c("options")}`} offset={6} containerPadding={12}>
        <ListBox className={c("list")}>
          {choices.map((choice) => (
            <ListBoxItem
              key={choice.id}
              id={choice.id}
              textValue={choice.text}
              className={m("item")}
              {...(choice.lang === undefined ? {} : { lang: choice.lang })}
            >
              {({ isSelected }) => (
                <>
                  <span className={m("icon")} aria-hidden>
                    {isSelected ? <Check size={18} /> : null}
                  </span>
                  <span>{choice.text}</span>
                </>
              )}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

export interface SegmentsProps {
  readonly label: string;
  readonly choices: readonly (Choice & { readonly icon?: ReactNode })[];
  readonly selected: string;
  readonly onSelect: (id: string) => void;
}

/** One of a few, all in sight. */
export function Segments({ label, choices, selected, onSelect }: SegmentsProps): JSX.Element {
  return (
    <RadioGroup
      className={c("field")}
      value={selected}
      onChange={onSelect}
      orientation="horizontal"
    >
      <Label className={c("label")}>{label}</Label>
      <div className={c("segments")}>
        {choices.map((choice) => (
          <Radio key={choice.id} value={choice.id} className={c("segment")}>
            {choice.icon}
            {choice.text}
          </Radio>
        ))}
      </div>
    </RadioGroup>
  );
}
