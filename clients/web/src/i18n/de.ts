import type { Messages } from "./en";

/** German. */
export const de: Messages = {
  title: "Einwilligungsregister",
  skip: "Zum Inhalt springen",
  menu: "Seiten",
  chooseLanguage: "Sprache",
  nav: { protect: "Schützen", records: "Meine Einträge", verify: "Prüfen", log: "Protokoll" },
  footer:
    "Diese Seite kommt vom Register {origin}. Sie lädt nichts von anderswo, setzt keine Cookies und zählt keine Besuche.",
  footerUnknown:
    "Diese Seite lädt nichts von anderswo als vom Register, von dem sie kommt, setzt keine Cookies und zählt keine Besuche.",
  offline:
    "Sie sind offline. Fingerabdrücke und Prüfungen gehen hier trotzdem; das Senden wartet, bis Sie wieder verbunden sind.",
  back: "Zurück",
  next: "Weiter",
  working: "Einen Moment …",
  photographs: { one: "{count} Foto", other: "{count} Fotos" },
  unnamed: "Eintrag {number}",

  protect: {
    title: "Halten Sie Ihre Fotos aus dem KI-Training heraus",
    lead: "Wählen Sie Fotos. Ihr Browser berechnet Fingerabdrücke davon und trägt diese mit Ihrer Erklärung ein. Die Fotos bleiben auf diesem Gerät. Niemand fragt nach Ihrem Namen, einem Konto oder einer E-Mail-Adresse.",
    steps: {
      choose: "Fotos wählen",
      state: "Ihre Erklärung",
      phrase: "Ihre zwölf Wörter",
      send: "Eintragen",
    },
    step: "Schritt {at} von {count}",
    drop: "Fotos hierher ziehen",
    orChoose: "Fotos wählen",
    more: "Weitere Fotos wählen",
    formats: "JPEG, PNG, WebP, AVIF oder GIF. So viele Sie möchten.",
    chosen: "Gewählte Fotos",
    remove: "{name} entfernen",
    computing: "Fingerabdrücke werden berechnet …",
    ready: "Bereit: Dieselbe Datei und leicht bearbeitete Kopien können gefunden werden.",
    onlyFile:
      "Bereit, aber schwächer: Das Bild ist für mehr zu gleichförmig oder zu klein. Nur genau diese Datei kann gefunden werden.",
    failed: "Nicht verwendbar: {reason}",
    weakerTitle: "Was gefunden wird und was nicht",
    weaker: [
      "Von dieser Seite aus werden genaue Kopien Ihrer Datei gefunden, und Kopien, die verkleinert, komprimiert, umgefärbt, gespiegelt oder um eine Vierteldrehung gedreht wurden.",
      "Ausschnitte, Bildschirmfotos, Beschriftungen, Ränder und Collagen werden meist nicht gefunden. In unseren Messungen wurde kein einziger Ausschnitt gefunden. Das Kommandozeilenprogramm des Registers kann zusätzlich einen stärkeren Fingerabdruck eintragen, der die meisten davon findet.",
      "Jedes Foto wird für sich eingetragen. Andere Fotos von Ihnen werden nicht gefunden.",
    ],
    boundsTitle: "Was das kann und was nicht",
    bounds: [
      "Wer Trainingsdaten zusammenstellt und dieses Register fragt, erfährt, dass Ihr Foto wegzulassen ist. Wer nicht fragt, wird nicht aufgehalten.",
      "Es löscht nichts aus dem Netz und nimmt nichts aus Modellen heraus, die schon trainiert sind.",
      "Das Register öffnet Ihre versiegelten Fingerabdrücke, um sie zu vergleichen. Auf der Festplatte liegen sie verschlüsselt, offen nur im Arbeitsspeicher des Programms, das vergleicht. Niemand kann das Foto daraus wiederherstellen, aber wer dasselbe Foto und die Fingerabdrücke hat, könnte erkennen, dass sie zusammengehören.",
      "Wie jede Website sieht das Register die Netzwerkadresse, von der Sie kommen. Wenn Ihnen das wichtig ist, verwenden Sie den Tor Browser.",
      "Niemand prüft, was Sie erklären. Deshalb muss niemand wissen, wer Sie sind.",
    ],
    needOne: "Wählen Sie mindestens ein verwendbares Foto.",
    wait: "Die Fingerabdrücke sind noch nicht fertig. Das dauert ein bis zwei Sekunden je Foto.",

    statementTitle: "Was erklären Sie?",
    statementLead:
      "Sie sagen Nein zu allen vier Nutzungen, wenn Sie nichts anderes wählen. Das gilt für {photographs}.",
    refuseAll: "Keine dieser Nutzungen ist erlaubt",
    choosePerUse: "Für jede Nutzung entscheiden",
    uses: {
      ai_generative_training: "Training von KI, die Bilder, Texte oder Töne erzeugt",
      ai_training: "Training anderer KI, etwa zum Erkennen von Dingen oder Menschen",
      ai_inference: "Eingabe in ein fertiges KI-System",
      data_mining: "Maschinelle Auswertung großer Sammlungen, um Muster zu finden",
    },
    stances: { notAllowed: "Nicht erlaubt", allowed: "Erlaubt", unsaid: "Dazu sage ich nichts" },
    saySomething: "Sagen Sie etwas zu mindestens einer Nutzung.",
    allowedMeans:
      "„Erlaubt“ ist nur eine Erklärung, die jemand ohne Nachweis abgegeben hat. Es ist keine Lizenz, und das „nicht erlaubt“ eines anderen Menschen zum selben Bild geht vor.",
    basisTitle: "Sie sprechen als",
    bases: {
      data_subject: "eine Person auf den Fotos",
      rightsholder: "Urheberin oder Urheber, oder wer Rechte an ihnen hat",
      guardian: "Eltern oder Vormund einer Person darauf",
      agent: "jemand, den eine dieser Personen darum gebeten hat",
    },
    moreTitle: "Mehr dazu (freiwillig)",
    givenFor: "Die Fotos wurden nur für einen Zweck gegeben",
    unsaid: "Das sage ich nicht",
    until: "Die Erklärung endet nach diesem Tag",
    untilHint: "Bleibt das leer, gilt sie, bis Sie sie widerrufen.",
    untilPast: "Wählen Sie einen Tag, der noch nicht vorbei ist.",

    phraseTitle: "Schreiben Sie diese zwölf Wörter auf",
    phraseLead:
      "Sie sind der einzige Schlüssel zu Ihren Einträgen. Mit ihnen können Sie auf jedem Gerät Ihre Einträge sehen und widerrufen. Niemand kann sie Ihnen noch einmal geben, auch das Register nicht.",
    phraseWarn:
      "Wer diese Wörter hat, kann Ihre Einträge widerrufen. Bewahren Sie sie auf, wo nur Sie nachsehen, am besten auf Papier.",
    print: "Wörter drucken",
    savePhrase: "Wörter als Datei speichern",
    phraseFile: "wiederherstellung.txt",
    phraseFileText:
      "Wörter zur Wiederherstellung beim Einwilligungsregister {origin}\n\n{words}\n\nWer diese Wörter hat, kann Ihre Einträge sehen und widerrufen. Niemand kann sie ersetzen.\n",
    kept: "Ich habe sie aufgeschrieben",
    confirmTitle: "Prüfen Sie, dass Sie sie haben",
    confirmLead:
      "Geben Sie zwei der Wörter ein. Dann wissen Sie, dass Sie Ihre Schrift lesen können.",
    wordNumber: "Wort {number}",
    wrongWord: "Das ist nicht Wort {number}. Sehen Sie noch einmal auf Ihrer Abschrift nach.",
    showAgain: "Wörter noch einmal zeigen",
    haveWords: "Ich habe schon zwölf Wörter",
    enterWords: "Geben Sie Ihre zwölf Wörter ein. Die neuen Einträge gehören dann zu ihnen.",
    newWords: "Ich brauche neue Wörter",
    useWords: "Diese Wörter verwenden",

    sendTitle: "Wird eingetragen",
    sendLead: "Lassen Sie diese Seite offen. Es dauert einige Sekunden je Foto.",
    stages: {
      waiting: "Kommt noch an die Reihe",
      sealing: "Fingerabdrücke werden für das Register versiegelt",
      working: "Eine Rechenaufgabe, die das Register statt Ihres Namens verlangt: {percent} %",
      sending: "Wird gesendet, bis das Register es veröffentlicht hat",
      checking: "Der Nachweis des Registers wird auf diesem Gerät geprüft",
      registered: "Eingetragen. Nummer {index} im öffentlichen Protokoll.",
      failed: "Nicht eingetragen: {reason}",
    },
    registryWaits: "Das Register bittet um Geduld: nächster Versuch in {seconds} Sekunden.",
    doneAll: "Sie sind eingetragen",
    doneSome: "{done} von {count} Fotos sind eingetragen",
    doneNone: "Nichts wurde eingetragen",
    doneChecked:
      "Dieser Browser hat den Nachweis für jedes eingetragene Foto selbst geprüft: Ihre Erklärung steht im Protokoll von {origin}, mit dessen Schlüssel unterschrieben.",
    unwitnessed:
      "Unabhängige Zeugen wurden hier nicht geprüft. Der Nachweis beruht also auf der Unterschrift des Registers selbst. Bewahren Sie die Quittung auf: Sollte das Register Ihren Eintrag je leugnen, würde sie ihn zeigen.",
    generic:
      "Es ähnelt vielen anderen Bildern. Darum ist es eingetragen, ohne dass nach bearbeiteten Kopien gesucht wird.",
    near: "Es ähnelt anderen Bildern. Darum werden nur Kopien gefunden, die kaum abweichen.",
    saveReceipts: "Quittungen speichern",
    saveReceipt: "Quittung speichern",
    receiptsHint:
      "Eine Quittung beweist anderen, was Sie zu einem Bild erklärt haben. Das Bild enthält sie nicht. Zeigen Sie sie niemandem, der es nicht wissen soll.",
    keepHint:
      "In diesem Browser bleibt nichts, wenn Sie die Seite schließen, außer Sie wünschen es unter „Meine Einträge“. Die zwölf Wörter genügen.",
    tryAgain: "Die übrigen noch einmal versuchen",
    toRecords: "Zu meinen Einträgen",
    another: "Weitere Fotos schützen",
  },

  records: {
    title: "Meine Einträge",
    lead: "Mit Ihren zwölf Wörtern finden Sie Ihre Einträge im öffentlichen Protokoll. Die Wörter bleiben auf diesem Gerät.",
    words: "Ihre zwölf Wörter",
    wordsHint:
      "Mit Leerzeichen dazwischen, in der Reihenfolge, in der Sie sie aufgeschrieben haben.",
    open: "Meine Einträge zeigen",
    opening: "Das öffentliche Protokoll wird nach Ihren Einträgen durchgesehen …",
    unlockTitle: "In diesem Browser aufbewahrt",
    unlockLead: "Hier ist etwas aufbewahrt, verschlüsselt mit Ihrem Kennsatz.",
    passphrase: "Kennsatz",
    unlock: "Öffnen",
    orWords: "Oder mit Ihren zwölf Wörtern",
    none: "Zu diesen Wörtern gibt es in diesem Register keine Einträge.",
    protectFirst: "Fotos schützen",
    list: "Ihre Einträge",
    updated:
      "Laut dem öffentlichen Protokoll mit {size} Nummern, das dieser Browser gerade gelesen hat.",
    refresh: "Noch einmal nachsehen",
    status: {
      ACTIVE: "Gilt",
      WITHDRAWN: "Von Ihnen widerrufen",
      ERASED: "Vom Betreiber entfernt",
      EXPIRED: "Am gewählten Tag geendet",
      lost: "Fehlt im Protokoll",
      waiting: "Noch nicht gesendet",
      sent: "Gesendet, noch ohne Antwort",
      withdrawing: "Wird widerrufen",
      dropped: "Nie gesendet",
    },
    lost: "Im Protokoll des Registers fehlen Einträge von Ihnen, die es bestätigt hatte. Sie schützen jetzt nichts mehr. Bewahren Sie Ihre Quittungen auf, sie zeigen, was versprochen war, und tragen Sie die Fotos neu ein.",
    entry: "Nummer {index} im Protokoll",
    statement: "Sie haben erklärt",
    allRefused: "keine der vier Nutzungen ist erlaubt",
    until: "bis {day}",
    finds: "Gefunden wird",
    reach: {
      sha256: "genau diese Datei",
      "pdq-1": "leicht bearbeitete Kopien",
      "sscd-1": "bearbeitete Kopien, auch Ausschnitte und Bildschirmfotos",
      "face-1": "andere Fotos der Person",
      "url-1": "dieselbe Webadresse",
    },
    nearOnly: "{space}, nur wo sie kaum abweichen",
    receipt: "Quittung speichern",
    slip: "Widerrufsschein speichern",
    slipHint:
      "Ein Widerrufsschein ist schon unterschrieben: Wer ihn hat, kann seinen Eintrag ohne die Wörter widerrufen, und sonst nichts.",
    withdraw: "Widerrufen",
    withdrawTitle: "Diesen Eintrag widerrufen?",
    withdrawText: [
      "Von da an bittet dieser Eintrag niemanden mehr, das Foto wegzulassen. Hat ein anderer Mensch dasselbe Foto eingetragen, gilt dessen Eintrag weiter.",
      "Was vorher zusammengestellt wurde, bleibt, wie es ist. Kopien von Listen, die heruntergeladen wurden, überleben Ihren Widerruf.",
      "Das Register löscht den Schlüssel zu dem, was es hatte. Seine Sicherungen werden unlesbar, wenn ältere Schlüssel vernichtet werden, spätestens nach zwei Wechseln der Schlüssel durch den Betreiber.",
      "Das öffentliche Protokoll zeigt für immer, dass ein Eintrag da war und widerrufen wurde, aber nicht wovon. Widerrufen Sie mehrere zugleich, kann ein Beobachter des Protokolls vermuten, dass sie einem Menschen gehören.",
      "Ein widerrufener Eintrag kommt nicht zurück. Um eine Erklärung zu ändern, tragen Sie zuerst die neue ein.",
    ],
    withdrawYes: "Ja, widerrufen",
    withdrawNo: "Nein, behalten",
    withdrawn: "Der Eintrag ist widerrufen. Das ist Nummer {index} im öffentlichen Protokoll.",
    dropped: "Er hatte das Register nie erreicht und ist aufgegeben.",
    keepTitle: "In diesem Browser aufbewahren",
    keepLead:
      "Ohne das ist hier alles vergessen, wenn Sie die Seite schließen. Damit bleiben Ihre Wörter, Einträge und die Dateinamen der Fotos in diesem Browser, verschlüsselt mit einem Kennsatz.",
    keepWarn:
      "Tun Sie das nicht auf einem Gerät, das auch andere benutzen. Auch der Kennsatz lässt sich nicht ersetzen; Ihre zwölf Wörter gelten aber ohne ihn.",
    newPassphrase: "Ein Kennsatz mit mindestens {least} Zeichen",
    again: "Derselbe noch einmal",
    keep: "Verschlüsselt aufbewahren",
    tooShort: "Der Kennsatz braucht mindestens {least} Zeichen.",
    notSame: "Die beiden stimmen nicht überein.",
    isKept: "Dies ist in diesem Browser aufbewahrt, verschlüsselt mit Ihrem Kennsatz.",
    forget: "Aus diesem Browser entfernen",
    forgotten: "Es ist aus diesem Browser entfernt.",
    close: "Auf dieser Seite vergessen",
    closeHint: "Leert Wörter, Einträge und Fotos aus dem Speicher dieser Seite.",
    showWords: "Meine zwölf Wörter zeigen",
    hideWords: "Meine zwölf Wörter verbergen",
    slipName: "widerruf-{index}.txt",
    receiptName: "quittung-{index}.txt",
    leftOut: "Weggelassen",
    leftOutTitle: "Aus welchen Datensammlungen wurden sie weggelassen?",
    leftOutLead:
      "Das Register zählt, nur für Sie, wie viele Bilder Ersteller wegen Ihrer Einträge aus ihren Datensammlungen weggelassen haben.",
    leftOutAsk: "Das Register fragen",
    leftOutHint:
      "Es sagt das erst einige Tage nach der Prüfung einer Datensammlung, meist sieben, und nur solange ein Eintrag gilt. Es ist das Wort des Registers: Das öffentliche Protokoll nennt das Zertifikat, nicht die Bilder. Wer nach mehreren Einträgen zugleich fragt, lässt das Register ahnen, dass sie zu einer Person gehören.",
    leftOutNone: "Noch nichts, soweit das Register es sagt.",
    images: { one: "Ein Bild", other: "{count} Bilder" },
    leftOutOf: "{images} weggelassen aus „{dataset}“ von {organisation}, für: {use}. {day}.",
    leftOutCertified: "Ihr Zertifikat ist Nummer {index} des öffentlichen Protokolls.",
    exportTitle: "Dieselbe Erklärung für andere Orte",
    exportLead:
      "Für alle, die das Bild veröffentlichen: Das erste kommt durch ein Programm, das signiert, in das Bild selbst (C2PA); das zweite schickt Ihre eigene Website mit. Beides wirkt nur dort, wo es steht, und der Widerruf des Eintrags nimmt es nicht zurück.",
    exportCawg: "Für C2PA sichern (CAWG)",
    exportAipref: "Für eine Website sichern (AIPREF)",
    disputed: "Angezweifelt",
    disputes: {
      STANDS:
        "Ein Ersteller hat einen Ausschluss angezweifelt. Der Betreiber hat ihn geprüft; er bleibt (Nummer {index} des Protokolls).",
      MISTAKEN:
        "Ein Ersteller hat einen Ausschluss zu Recht angezweifelt: Es war ein anderes Bild (Nummer {index} des Protokolls). Ihr Eintrag gilt weiter.",
      ERASED:
        "Ein Ersteller hat einen Ausschluss angezweifelt, und der Betreiber hat diesen Eintrag als falsch erklärt beendet (Nummer {index} des Protokolls).",
    },
  },

  verify: {
    title: "Einen Nachweis prüfen",
    lead: "Legen Sie hier eine Quittung, einen Widerrufsschein oder einen Prüfpunkt ab, oder das Zertifikat einer Datensammlung mit ihrer Liste und ihren Belegen. Alles prüft dieser Browser; nichts davon wird gesendet.",
    drop: "Datei hierher ziehen",
    choose: "Datei wählen",
    paste: "Oder ihren Text einfügen",
    check: "Prüfen",
    good: "Er stimmt",
    bad: "Er stimmt nicht",
    unknown: "Das lässt sich hier nicht prüfen",
    notKnown:
      "Soweit diese Seite sieht, ist das weder Quittung noch Widerruf, Prüfpunkt oder Zertifikat eines Einwilligungsregisters.",
    foreign:
      "Er stammt vom Register „{origin}“, und diese Seite kennt nur den Schlüssel von „{known}“. Öffnen Sie die Seite jenes Registers, oder fügen Sie dessen Prüfschlüssel ein:",
    key: "Prüfschlüssel von {origin}",
    keyHint:
      "Er beginnt mit dem Namen des Registers und einem Pluszeichen. Nehmen Sie ihn von jemandem, dem Sie vertrauen.",
    receipt: "Eine Quittung",
    receiptText:
      "Die Erklärung unten zu einem Bild ist Nummer {index} im Protokoll von {origin}. Das Protokoll hatte {size} Nummern, als dieser Nachweis entstand.",
    states: "Erklärt ist",
    statedAs: "Erklärt als",
    receiptLimits:
      "Das sagt nicht, ob der Eintrag noch gilt, nicht, wer die Erklärung abgegeben hat, und nicht, dass sie wahr ist.",
    witnessed: "Auf dem Prüfpunkt stehen auch Unterschriften anderer: {names}.",
    unwitnessed:
      "Nur das Register selbst hat den Prüfpunkt unterschrieben. Dass niemandem ein anderes Protokoll gezeigt wurde, ist damit nicht bewiesen.",
    notChecked: "Diese Seite kennt deren Schlüssel nicht und hat sie nicht geprüft.",
    nowActive:
      "Bis zu seinem jetzigen Ende, {size} Nummern, zeigt das öffentliche Protokoll kein Ende dieses Eintrags.",
    nowEnded: "Seitdem hat der Eintrag geendet: {status}, Nummer {index} im Protokoll.",
    nowLost:
      "Im Protokoll des Registers steht an dieser Stelle jetzt etwas anderes. Bewahren Sie diese Quittung auf.",
    nowUnknown: "Ob der Eintrag noch gilt, war nicht zu lesen: {reason}",
    withPicture: "Ist es die Quittung eines Bildes, das Sie haben?",
    pictureHint: "Das Bild wird auf diesem Gerät verglichen und nirgendwohin gesendet.",
    choosePicture: "Bild wählen",
    isPicture: "Ja: Die Quittung ist für genau diese Datei.",
    notPicture:
      "Diese Seite kann es nicht zeigen. Vielleicht ist die Quittung für eine andere Datei desselben Bildes, oder es wurden mehr Fingerabdrücke eingetragen, als diese Seite berechnet.",
    withdrawal: "Ein aufbewahrter Widerruf",
    withdrawalText:
      "Er ist richtig unterschrieben und widerruft einen Eintrag bei {origin}, sobald er gesendet wird. Gesendet wurde jetzt nichts.",
    sendWithdrawal: "Jetzt senden und den Eintrag widerrufen",
    sentWithdrawal: "Das Register hat geantwortet: {status}.",
    checkpoint: "Ein Prüfpunkt",
    checkpointText:
      "Das Register {origin} hat unterschrieben, dass sein Protokoll {size} Nummern hat, mit der Wurzel {root}.",
    reason: "Der Grund, auf Englisch:",
    nothing: "Wählen Sie eine Datei, oder fügen Sie ihren Text ein.",
    data: {
      certificate: "Das Zertifikat einer Datensammlung",
      manifest: "Die Bilderliste einer Datensammlung",
      paper: "Belege oder ein Nachweis zu einer Datensammlung",
      onList: {
        one: "Auf dieser Liste steht ein Bild.",
        other: "Auf dieser Liste stehen {count} Bilder.",
      },
      needsCertificate:
        "Für sich allein beweist es nichts: Legen Sie auch das Zertifikat dazu hier ab.",
      checking: "Wird geprüft …",
      partly: "Es stimmt, soweit es geprüft werden konnte",
      says: "Es sagt: {screened} Bilder wurden dem Register {registry} für die Nutzung „{use}“ gezeigt, und {shipped} davon sind in der Datensammlung.",
      signed: "Der Ersteller hat es unterschrieben.",
      logged:
        "Das öffentliche Protokoll bestätigt es: Welche Bilder gemeint sind, stand als Nummer {session} fest, vor der ersten Antwort; alle waren mit Nummer {close} beantwortet; und dies ist das letzte Zertifikat darüber, Nummer {certify}.",
      proven:
        "Der beiliegende Nachweis zeigt, dass es Nummer {certify} des Protokolls ist. Der Rest des Protokolls war hier nicht zu lesen.",
      shipped: {
        one: "Die Liste ist die richtige: ein Bild.",
        other: "Die Liste ist die richtige: {count} Bilder.",
      },
      cleared:
        "Das Register hatte für jedes Bild der Liste geantwortet: In {clear} erkannte es keinen Widerspruch, und bei {permit} erlaubt jemand die Nutzung.",
      working: "Wird geprüft: {done} …",
      open: {
        noManifest: "Nicht geprüft: Die Bilderliste fehlt (shipped.manifest).",
        noEvidence:
          "Nicht geprüft: was das Register für jedes Bild geantwortet hat. Dazu braucht es die Liste und die Belege (evidence).",
        noLog:
          "Nicht geprüft: Das Protokoll von {registry} ist hier nicht zu lesen. Öffnen Sie die Seite jenes Registers, mit Verbindung.",
        noClose: "Nicht geprüft: Für die Antworten bürgt nur das Protokoll.",
      },
      failed: "Nicht geprüft: {reason}",
      marks: {
        holds: "Stimmt:",
        wrong: "Stimmt nicht:",
        open: "Offen:",
        failed: "Offen:",
        working: "In Arbeit:",
      },
      more: "Legen Sie die übrigen Dateien der Datensammlung hier ab",
      moreHint: "shipped.manifest, evidence und certify.proof liegen neben dem Zertifikat.",
      limitsTitle: "Was das nicht beweist",
      limits: [
        "Dass die Datensammlung enthält, was ihre Liste sagt. Bilder sieht hier niemand; wer sie hat, kann eine Stichprobe nachrechnen.",
        "Dass Ersteller und Register nicht gemeinsam lügen.",
        "Dass jede bearbeitete Kopie erkannt wurde: Manche entgehen, und das Register veröffentlicht, wie viele.",
        "Dass mit nichts anderem trainiert wurde. Es geht um eine Liste, nicht um ein Modell.",
      ],
      details: "Einzelheiten",
      builder: "Schlüssel des Erstellers",
      answers: "Antworten",
      compared: "Verglichene Bilder nach",
      tool: "Erstellt mit",
      terms: "Bedingungen",
      yours: "Ist ein Bild von Ihnen darin?",
      yoursHint:
        "Gefunden wird nur genau diese Datei, keine neu gespeicherte Kopie. Verglichen wird auf diesem Gerät.",
      isThere: "Ja: Diese Datei ist in der Datensammlung.",
      notThere:
        "Nein: Diese Datei steht nicht auf der Liste. Eine neu gespeicherte Kopie könnte es.",
    },
  },

  log: {
    title: "Das öffentliche Protokoll",
    lead: "Jede Eintragung, jeder Widerruf und jede geprüfte Datensammlung steht in einem Protokoll, das nur wachsen kann. Es nennt niemanden. Diese Seite liest es, zählt und prüft die Unterschrift des Registers.",
    read: "Protokoll lesen und prüfen",
    reading: "Gelesen: {done} von {size}",
    consistent:
      "Geprüft: Alle {size} Nummern zusammen haben genau die Wurzel, die das Register unterschrieben hat.",
    inconsistent:
      "Die Nummern haben nicht die Wurzel, die das Register unterschrieben hat. Trauen Sie diesem Register nicht, bevor das erklärt ist.",
    withdrawalsChecked:
      "Geprüft: Jeder Widerruf ist mit dem Schlüssel des Eintrags unterschrieben, den er beendet.",
    withdrawalsWrong:
      "{count} Widerrufe sind nicht mit dem Schlüssel ihres Eintrags unterschrieben. Trauen Sie diesem Register nicht, bevor das erklärt ist.",
    checkpoint: "Prüfpunkt",
    origin: "Register",
    size: "Nummern",
    root: "Wurzel",
    key: "Prüfschlüssel",
    witnesses: "Zeugen",
    noWitnesses: "keiner hat diesen Prüfpunkt unterschrieben",
    witnessesUnchecked: "{names} (diese Seite kennt ihre Schlüssel nicht)",
    counts: "Was es enthält",
    registered: "Eingetragen",
    stillCounting: "Weder widerrufen noch entfernt",
    withdrawn: "Von den Inhabern widerrufen",
    erased: "Vom Betreiber entfernt",
    reasons: {
      "1": "Gerichtsbeschluss",
      "2": "rechtswidriger Inhalt",
      "3": "falsche Erklärung",
      "4": "Missbrauch",
      "5": "technischer Grund",
    },
    sessions: "Verbindlich geprüfte Datensammlungen",
    closed: "davon vollständig beantwortet",
    certificates: "Zertifikate",
    snapshots: "Auszüge zum Herunterladen",
    lastDay: "Zuletzt begonnener Tag",
    expired:
      "Einträge, die an ihrem letzten Tag geendet haben, sind im Protokoll nicht zu erkennen: Ihr letzter Tag geht niemanden etwas an.",
    large: "Das Protokoll hat {size} Nummern, etwa {megabytes} MB.",
    none: "Noch ist nichts veröffentlicht: Der erste Eintrag ergibt den ersten Prüfpunkt.",
    disputes: "Entschiedene Zweifel an Ausschlüssen",
  },

  purposes: [
    "",
    "Meine Behandlung als Patient",
    "Eine medizinische Diagnose",
    "Medizinische Forschung",
    "Akademische Forschung",
    "Forschung ohne Gewinnabsicht",
    "Kommerzielle Forschung",
    "Nachweis meiner Identität",
    "Mein Arbeitsverhältnis",
    "Mitgliedschaft oder Partnerschaft",
    "Eine Dienstleistung auf meinen Wunsch",
    "Schriftwechsel",
    "Öffentlichkeitsarbeit",
    "Marketing",
    "Werbung",
    "Eine rechtliche Pflicht",
    "Ein Streitfall",
    "Sicherheit",
    "Jeder Zweck ohne Gewinnabsicht",
    "Jeder kommerzielle Zweck",
  ],

  errors: {
    NOT_AN_IMAGE:
      "Es ist kein Bild, das dieser Browser lesen kann. JPEG, PNG, WebP, AVIF und GIF gehen; HEIC vom iPhone oft nicht: Exportieren Sie es als JPEG.",
    IMAGE_TOO_LARGE: "Es ist für diesen Browser zu groß; eine kleinere Kopie genügt.",
    IMAGE_ERROR: "Seine Fingerabdrücke ließen sich nicht berechnen.",
    BAD_PHRASE:
      "Das sind nicht zwölf Wörter einer Wiederherstellung. Prüfen Sie Schreibweise und Reihenfolge.",
    UNREACHABLE:
      "Das Register ist nicht erreichbar. Vielleicht sind Sie nicht verbunden; versuchen Sie es später noch einmal.",
    REGISTRY_KEY_CHANGED:
      "Das Register zeigt einen anderen Schlüssel als zuvor. Jemand könnte zwischen Ihnen und ihm stehen. Nichts wurde gesendet.",
    WORK_TOO_HARD: "Das Register verlangt mehr Rechenarbeit, als diese Seite leistet.",
    INSECURE_REGISTRY: "Die Verbindung ist nicht verschlüsselt. Öffnen Sie diese Seite mit https.",
    WRONG_ANSWER:
      "Die Antwort des Registers widerspricht dem, was gefragt oder veröffentlicht war. Ihr wurde nicht geglaubt.",
    TRANSPORT_ERROR: "Die Antwort des Registers war nicht zu verstehen.",
    WRONG_PASSPHRASE:
      "Dieser Kennsatz öffnet nicht, was hier aufbewahrt ist, oder das Aufbewahrte ist beschädigt.",
    STATE_ERROR: "Dieser Browser kann hier nichts aufbewahren oder lesen.",
    RATE_LIMITED:
      "Das Register begrenzt, wie viel von einer Adresse kommt. Versuchen Sie es später noch einmal.",
    REGISTRY_FULL: "Das Register ist so voll, wie sein Betreiber es zulässt.",
    TOO_GENERIC: "Es ähnelt zu vielen anderen Bildern, um eingetragen zu werden.",
    NOT_YOURS: "Das Register kennt keinen solchen Eintrag dieses Schlüssels.",
    other: "{message}",
  },
};
