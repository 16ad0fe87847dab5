"""What the pages and mails say that a reader acts on: leaving, choosing, signing up, confirming, looking back.

English and French; another language gets English. Those in braces are filled with `format`, all values escaped by the
templates. The words of the form and the confirmation are what people consent to: `core.sign_up.WORDING` names their
version.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReaderWords:
    """The fixed words of one language."""

    language: str
    # Everywhere.
    other_language: str
    home: str
    archive: str
    feeds: str
    sign_up: str
    privacy: str
    to_content: str
    link_broken: str
    link_broken_text: str
    not_found: str
    not_found_text: str
    no_page: str
    no_page_text: str
    not_possible: str
    not_possible_text: str
    broken: str
    broken_text: str
    try_again: str
    test_link: str
    test_link_text: str
    # Leaving.
    leave_title: str
    leave_text: str
    leave_button: str
    leave_other: str
    left_title: str
    left_text: str
    left_before: str
    left_all_title: str
    left_all_text: str
    undo: str
    undo_text: str
    undone_title: str
    undone_text: str
    cannot_undo: str
    come_back: str
    # Preferences.
    preferences: str
    preferences_for: str
    preferences_intro: str
    newsletters: str
    how_often: str
    pause: str
    pause_text: str
    no_pause: str
    one_week: str
    weeks: str
    until_date: str
    keep_pause: str
    paused_until: str
    about_you: str
    your_name: str
    your_name_text: str
    your_language: str
    save: str
    saved: str
    not_saved: str
    leave_all_title: str
    leave_all_text: str
    leave_all_button: str
    bad_name: str
    bad_pause: str
    bad_date: str
    closed_title: str
    closed_text: str
    # Signing up.
    sign_up_title: str
    sign_up_intro: str
    address: str
    address_hint: str
    choose_newsletters: str
    sign_up_button: str
    consent: str
    leave_empty: str
    bad_address: str
    unmailable: str
    no_newsletter: str
    press_again: str
    too_old: str
    one_more_step: str
    too_many: str
    asked_title: str
    asked_text: str
    asked_hint: str
    nothing_to_sign_up: str
    embed_title: str
    embed_intro: str
    embed_preview: str
    embed_code: str
    # Confirming.
    confirm_title: str
    confirm_text: str
    confirm_button: str
    confirmed_title: str
    confirmed_text: str
    confirmed_next: str
    expired_title: str
    expired_text: str
    # Mails.
    mail_subject: str
    mail_title: str
    mail_text: str
    mail_button: str
    mail_ignore: str
    mail_known_subject: str
    mail_known_title: str
    mail_known_text: str
    mail_known_button: str
    mail_why: str
    # Archive.
    archive_title: str
    archive_of: str
    archive_intro: str
    archive_empty: str
    archive_none: str
    older: str
    newer: str
    all_issues: str
    previous_issue: str
    next_issue: str
    issues_nav: str
    also: str
    get_it: str
    withdrawn: str
    # Home.
    home_intro: str
    home_newsletters: str
    home_feeds: str
    home_feeds_text: str
    home_archive: str
    past_issues: str


_ENGLISH = ReaderWords(
    language="en",
    other_language="Français",
    home="Home",
    archive="Past issues",
    feeds="Feeds",
    sign_up="Sign up",
    privacy="Privacy",
    to_content="Skip to the content",
    link_broken="This link does not work",
    link_broken_text="It is not complete, or a part of it was changed on the way. Open it from the e-mail itself, or "
    "copy all of it into the address bar.",
    not_found="There is nothing here",
    not_found_text="The page may never have existed, or what it showed was taken back.",
    no_page="Not found",
    no_page_text="There is no such page.",
    not_possible="Not possible",
    not_possible_text="That cannot be done here.",
    broken="Something went wrong",
    broken_text="That did not work, through no fault of yours. Try again in a moment.",
    try_again="Try again",
    test_link="This link belongs to a test",
    test_link_text="It comes from a test mail that went to editors only. It does nothing.",
    leave_title="Unsubscribe from {newsletter}?",
    leave_text="You get it at {address}. Press the button, and nothing more is sent to you from it.",
    leave_button="Unsubscribe",
    leave_other="Rather fewer mails, a pause, or out of everything?",
    left_title="You are unsubscribed from {newsletter}",
    left_text="Nothing more is sent to {address} from it. A mail that is already on its way may still arrive.",
    left_before="You are not subscribed to it. There is nothing left to do.",
    left_all_title="You are unsubscribed from everything",
    left_all_text="Nothing more is sent to {address}. A mail that is already on its way may still arrive.",
    undo="Undo",
    undo_text="Was that a mistake? Within a day one press brings everything back as it was.",
    undone_title="Welcome back",
    undone_text="Everything is as it was: {newsletters}. You miss nothing that came out in between.",
    cannot_undo="It is too late to undo this. Sign up again whenever you like.",
    come_back="Sign up again",
    preferences="Your preferences",
    preferences_for="For {address}",
    preferences_intro="Choose what you get, and how often. It holds from the next issue on.",
    newsletters="Newsletters",
    how_often="How often",
    pause="Pause",
    pause_text="Nothing is sent during a pause. Afterwards your first issue begins where you stopped.",
    no_pause="No pause",
    one_week="For 1 week",
    weeks="For {count} weeks",
    until_date="Until a date",
    keep_pause="Until {date}, as chosen before",
    paused_until="Paused until {date}.",
    about_you="About you",
    your_name="Name (you may leave it empty)",
    your_name_text="Some newsletters greet you by it.",
    your_language="Language of these pages",
    save="Save",
    saved="Saved. It holds from now on.",
    not_saved="Nothing was saved yet. Correct what is marked.",
    leave_all_title="Out of everything",
    leave_all_text="You leave every newsletter, and your address is kept only so that nobody mails it again.",
    leave_all_button="Unsubscribe from everything",
    bad_name="Write the name on one line, in at most 200 characters.",
    bad_pause="A pause ends after today and within a year.",
    bad_date="Give the date on which the pause ends.",
    closed_title="This address gets no mail from here",
    closed_text="It was closed because a mailbox turned our mail away, or because somebody asked us to. Write to "
    "{reply_to} to open it again.",
    sign_up_title="Sign up",
    sign_up_intro="By e-mail from {publication}. You confirm your address first, and leave with one click.",
    address="Your e-mail address",
    address_hint="such as ann@example.org",
    choose_newsletters="What would you like to get?",
    sign_up_button="Sign up",
    consent="By signing up you ask {sender} to send you what you chose. You can leave at any time by the link in every "
    "mail. We keep when and how you signed up as proof, and do not watch what you open or click.",
    leave_empty="Leave this empty",
    bad_address="That is not an e-mail address. Look at it once more: {address}",
    unmailable="We cannot write to an address with such letters before the @: {address}. Do you have another one?",
    no_newsletter="Choose at least one newsletter.",
    press_again="That was very quick. To be sure that you are not a program: press the button once more.",
    too_old="This form has been open for long. Look at it once more and press the button again.",
    one_more_step="Almost there: check what you chose and press the button.",
    too_many="There were many sign-ups from your network just now. Please try again in {minutes} min.",
    asked_title="Look into your mailbox",
    asked_text="If {address} can be signed up, a mail is on its way to it. Open the link in it and press the button, "
    "within seven days. Until then nothing else is sent.",
    asked_hint="No mail after a few minutes? Look among the junk mails, and check the address.",
    nothing_to_sign_up="There is no newsletter to sign up for yet.",
    embed_title="A sign-up form for your own pages",
    embed_intro="Copy this into any page. Whoever uses it comes here, presses one button, and confirms by mail.",
    embed_preview="This is what it looks like",
    embed_code="The code",
    confirm_title="Confirm your subscription",
    confirm_text="Press the button, and {address} gets:",
    confirm_button="Yes, send it to me",
    confirmed_title="You are subscribed",
    confirmed_text="{address} gets from now on:",
    confirmed_next="If you change your mind, every mail has a link to leave with one click.",
    expired_title="This confirmation is no longer good",
    expired_text="It is older than seven days, or what it asked for was changed since. Sign up once more, and a new "
    "mail "
    "comes at once.",
    mail_subject="Please confirm: {newsletters}",
    mail_title="One press and you are in",
    mail_text="Somebody, we hope it was you, asked for this to be sent to {address}:",
    mail_button="Confirm",
    mail_ignore="It was not you? Then do nothing: without your confirmation nothing else is sent, and we forget the "
    "address after seven days.",
    mail_known_subject="You get this already: {newsletters}",
    mail_known_title="You are subscribed already",
    mail_known_text="Somebody, we hope it was you, signed {address} up for what it gets already:",
    mail_known_button="Your preferences",
    mail_why="You get this mail because this address was entered at {place}.",
    archive_title="Past issues",
    archive_of="Past issues of {newsletter}",
    archive_intro="Everything that went out, to read again.",
    archive_empty="Nothing has gone out yet.",
    archive_none="There is no newsletter yet.",
    older="Older issues",
    newer="Newer issues",
    all_issues="All issues of {newsletter}",
    previous_issue="Previous: {title}",
    next_issue="Next: {title}",
    issues_nav="Issues before and after",
    also="Also in this issue",
    get_it="Get {newsletter} by e-mail",
    withdrawn="An article of this issue was taken back and is not shown.",
    home_intro="Newsletters and feeds of {publication}.",
    home_newsletters="By e-mail",
    home_feeds="By feed",
    home_feeds_text="Every new article in the feed reader of your choice, with no account and no tracking.",
    home_archive="Past issues",
    past_issues="Past issues",
)
_FRENCH = ReaderWords(
    language="fr",
    other_language="English",
    home="Accueil",
    archive="Anciens numéros",
    feeds="Flux",
    sign_up="S’abonner",
    privacy="Confidentialité",
    to_content="Aller au contenu",
    link_broken="Ce lien ne fonctionne pas",
    link_broken_text="Il est incomplet, ou une partie en a été modifiée en route. Ouvrez-le depuis le message "
    "lui-même, "
    "ou copiez-le en entier dans la barre d’adresse.",
    not_found="Il n’y a rien ici",
    not_found_text="La page n’a peut-être jamais existé, ou ce qu’elle montrait a été retiré.",
    no_page="Introuvable",
    no_page_text="Cette page n’existe pas.",
    not_possible="Impossible",
    not_possible_text="Cela n’est pas possible ici.",
    broken="Quelque chose s’est mal passé",
    broken_text="Cela n’a pas fonctionné, et ce n’est pas votre faute. Réessayez dans un moment.",
    try_again="Réessayer",
    test_link="Ce lien appartient à un essai",
    test_link_text="Il vient d’un message d’essai envoyé à la rédaction seulement. Il est sans effet.",
    leave_title="Se désabonner de «\u00a0{newsletter}\u00a0»\u00a0?",
    leave_text="Vous recevez cette lettre à l’adresse {address}. Appuyez sur le bouton, et elle ne vous sera plus "
    "envoyée.",
    leave_button="Se désabonner",
    leave_other="Plutôt moins de messages, une pause, ou tout arrêter\u00a0?",
    left_title="Vous êtes désabonné de «\u00a0{newsletter}\u00a0»",
    left_text="Plus rien ne sera envoyé à {address} pour cette lettre. Un message déjà en route peut encore arriver.",
    left_before="Vous n’y êtes pas abonné. Il n’y a plus rien à faire.",
    left_all_title="Vous êtes désabonné de tout",
    left_all_text="Plus rien ne sera envoyé à {address}. Un message déjà en route peut encore arriver.",
    undo="Annuler",
    undo_text="C’était une erreur\u00a0? Pendant un jour, un seul bouton rétablit tout comme avant.",
    undone_title="Bon retour parmi nous",
    undone_text="Tout est comme avant\u00a0: {newsletters}. Vous ne manquez rien de ce qui a paru entre-temps.",
    cannot_undo="Il est trop tard pour annuler. Abonnez-vous de nouveau quand vous voulez.",
    come_back="S’abonner de nouveau",
    preferences="Vos préférences",
    preferences_for="Pour {address}",
    preferences_intro="Choisissez ce que vous recevez, et à quel rythme. Cela vaut dès le prochain numéro.",
    newsletters="Lettres",
    how_often="Rythme",
    pause="Pause",
    pause_text="Rien n’est envoyé pendant une pause. Ensuite, votre premier numéro reprend là où vous vous étiez "
    "arrêté.",
    no_pause="Pas de pause",
    one_week="Pendant 1 semaine",
    weeks="Pendant {count} semaines",
    until_date="Jusqu’à une date",
    keep_pause="Jusqu’au {date}, comme déjà choisi",
    paused_until="En pause jusqu’au {date}.",
    about_you="À propos de vous",
    your_name="Nom (facultatif)",
    your_name_text="Certaines lettres vous saluent ainsi.",
    your_language="Langue de ces pages",
    save="Enregistrer",
    saved="C’est enregistré, et valable dès maintenant.",
    not_saved="Rien n’a encore été enregistré. Corrigez ce qui est indiqué.",
    leave_all_title="Tout arrêter",
    leave_all_text="Vous quittez toutes les lettres, et votre adresse n’est gardée que pour que plus personne n’y "
    "écrive.",
    leave_all_button="Se désabonner de tout",
    bad_name="Écrivez le nom sur une seule ligne, en 200 caractères au plus.",
    bad_pause="Une pause se termine après aujourd’hui et avant un an.",
    bad_date="Indiquez la date à laquelle la pause se termine.",
    closed_title="Cette adresse ne reçoit pas de message d’ici",
    closed_text="Elle a été fermée parce qu’une boîte refusait nos messages, ou parce que quelqu’un nous l’a demandé. "
    "Écrivez à {reply_to} pour la rouvrir.",
    sign_up_title="S’abonner",
    sign_up_intro="Par courriel, de {publication}. Vous confirmez d’abord votre adresse, et vous partez d’un seul "
    "clic.",
    address="Votre adresse de courriel",
    address_hint="par exemple anne@example.org",
    choose_newsletters="Que souhaitez-vous recevoir\u00a0?",
    sign_up_button="S’abonner",
    consent="En vous abonnant, vous demandez à {sender} de vous envoyer ce que vous avez choisi. Vous pouvez partir à "
    "tout moment par le lien de chaque message. Nous gardons comme preuve quand et comment vous vous êtes abonné, et "
    "n’observons ni ce que vous ouvrez ni ce sur quoi vous cliquez.",
    leave_empty="Laissez ce champ vide",
    bad_address="Ce n’est pas une adresse de courriel. Regardez-la encore une fois\u00a0: {address}",
    unmailable="Nous ne pouvons pas écrire à une adresse qui a de telles lettres avant le @\u00a0: {address}. "
    "En avez-vous une autre\u00a0?",
    no_newsletter="Choisissez au moins une lettre.",
    press_again="C’était très rapide. Pour être sûrs que vous n’êtes pas un programme\u00a0: appuyez encore une fois.",
    too_old="Ce formulaire est resté ouvert longtemps. Relisez-le et appuyez de nouveau sur le bouton.",
    one_more_step="Vous y êtes presque\u00a0: vérifiez votre choix et appuyez sur le bouton.",
    too_many="Il y a eu beaucoup d’abonnements depuis votre réseau. Réessayez dans {minutes}\u00a0min, s’il vous "
    "plaît.",
    asked_title="Regardez dans votre boîte",
    asked_text="Si {address} peut être abonnée, un message est en route. Ouvrez le lien qu’il contient et appuyez "
    "sur le "
    "bouton, dans les sept jours. D’ici là, rien d’autre n’est envoyé.",
    asked_hint="Pas de message après quelques minutes\u00a0? Regardez parmi les indésirables, et vérifiez l’adresse.",
    nothing_to_sign_up="Il n’y a pas encore de lettre à laquelle s’abonner.",
    embed_title="Un formulaire pour vos propres pages",
    embed_intro="Copiez ceci dans n’importe quelle page. Qui s’en sert arrive ici, appuie sur un bouton, et "
    "confirme par "
    "courriel.",
    embed_preview="Voici à quoi il ressemble",
    embed_code="Le code",
    confirm_title="Confirmez votre abonnement",
    confirm_text="Appuyez sur le bouton, et {address} recevra\u00a0:",
    confirm_button="Oui, je m’abonne",
    confirmed_title="Vous êtes abonné",
    confirmed_text="{address} recevra désormais\u00a0:",
    confirmed_next="Si vous changez d’avis, chaque message contient un lien pour partir d’un seul clic.",
    expired_title="Cette confirmation n’est plus valable",
    expired_text="Elle a plus de sept jours, ou ce qu’elle demandait a changé depuis. Abonnez-vous encore une fois, "
    "et un "
    "nouveau message arrive aussitôt.",
    mail_subject="Confirmez, s’il vous plaît\u00a0: {newsletters}",
    mail_title="Un bouton, et vous y êtes",
    mail_text="Quelqu’un, vous peut-être, a demandé l’envoi à {address} de\u00a0:",
    mail_button="Confirmer",
    mail_ignore="Ce n’était pas vous\u00a0? Alors ne faites rien\u00a0: sans votre confirmation, rien d’autre n’est "
    "envoyé, "
    "et nous oublions l’adresse au bout de sept jours.",
    mail_known_subject="Vous la recevez déjà\u00a0: {newsletters}",
    mail_known_title="Vous êtes déjà abonné",
    mail_known_text="Quelqu’un, vous peut-être, a abonné {address} à ce qu’elle reçoit déjà\u00a0:",
    mail_known_button="Vos préférences",
    mail_why="Vous recevez ce message parce que cette adresse a été saisie sur {place}.",
    archive_title="Anciens numéros",
    archive_of="Anciens numéros de «\u00a0{newsletter}\u00a0»",
    archive_intro="Tout ce qui a paru, à relire.",
    archive_empty="Rien n’a encore paru.",
    archive_none="Il n’y a pas encore de lettre.",
    older="Numéros plus anciens",
    newer="Numéros plus récents",
    all_issues="Tous les numéros de «\u00a0{newsletter}\u00a0»",
    previous_issue="Précédent\u00a0: {title}",
    next_issue="Suivant\u00a0: {title}",
    issues_nav="Numéros précédent et suivant",
    also="Également dans ce numéro",
    get_it="Recevoir «\u00a0{newsletter}\u00a0» par courriel",
    withdrawn="Un article de ce numéro a été retiré et n’est pas montré.",
    home_intro="Lettres et flux de {publication}.",
    home_newsletters="Par courriel",
    home_feeds="Par flux",
    home_feeds_text="Chaque nouvel article dans le lecteur de votre choix, sans compte et sans pistage.",
    home_archive="Anciens numéros",
    past_issues="Anciens numéros",
)
_LANGUAGES = {words.language: words for words in (_ENGLISH, _FRENCH)}

LANGUAGES = {"en": "English", "fr": "Français"}
"""The languages of these pages, as each calls itself."""


def reader_words(language: str) -> ReaderWords:
    """The words of a language tag such as `fr-CA`."""
    return _LANGUAGES.get(language.partition("-")[0].lower(), _ENGLISH)


def has_words(language: str) -> bool:
    """Whether the language of a tag is one of these."""
    return language.partition("-")[0].lower() in _LANGUAGES
