/**
 * Purposes an image may have been given for, as terms of the W3C Data Privacy Vocabulary 2.1.
 *
 * A purpose's code is its place in this list. Codes are never reused; a longer list is a new
 * vocabulary version.
 */

/** Version of this table; part of every statement. */
export const VOCABULARY = 1;

/** The DPV term of each code; the first, empty, where a statement does not say. */
export const PURPOSE_TERMS = [
  "",
  "sector-health:PatientInformationManagement",
  "sector-health:MedicalConditionDiagnosis",
  "sector-health:ResearchDevelopment",
  "dpv:AcademicResearch",
  "dpv:NonCommercialResearch",
  "dpv:CommercialResearch",
  "dpv:IdentityVerification",
  "dpv:PersonnelManagement",
  "dpv:MemberPartnerManagement",
  "dpv:RequestedServiceProvision",
  "dpv:CommunicationManagement",
  "dpv:PublicRelations",
  "dpv:Marketing",
  "dpv:Advertising",
  "dpv:LegalCompliance",
  "dpv:DisputeManagement",
  "dpv:EnforceSecurity",
  "dpv:NonCommercialPurpose",
  "dpv:CommercialPurpose",
] as const;
